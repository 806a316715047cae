"""What the parser of ``nnunet_slpt_simulate`` refuses by itself."""

import pytest

from nnunet_slpt.simulation.cli import main


@pytest.mark.parametrize("option", ["--epochs", "--iterations", "--batch_size", "--jobs"])
def test_numbers_from_one_on(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["-d", "1", "-m", "MODEL", "-o", "FOLDER", option, "0"])
    assert f"argument {option}: got 0, expected a whole number from 1 on" in capsys.readouterr().err
