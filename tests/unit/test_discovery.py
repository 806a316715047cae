"""The environment variable, without nnU-Net."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nnunet_slpt import discovery


class RefusesToBeWritten(dict[str, str]):
    """An environment that fails on every write."""

    def __setitem__(self, name: str, value: str) -> None:
        raise OSError(name)


@pytest.fixture(autouse=True)
def fresh_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("nnUNet_extTrainer", raising=False)
    monkeypatch.delenv("NNUNET_SLPT_AUTOLOAD", raising=False)


def test_folder_holds_one_module_and_is_no_package() -> None:
    files = [name for name in os.listdir(discovery.search_folder()) if name != "__pycache__"]
    assert files == ["nnunet_slpt_trainers.py"]


@pytest.mark.parametrize("before", ["", "mine", f"mine{os.pathsep}", f"mine{os.pathsep}theirs"])
def test_announce_keeps_what_was_set_and_is_idempotent(before: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("nnUNet_extTrainer", before)
    discovery.announce()
    once = os.environ["nnUNet_extTrainer"]
    assert once.startswith(before)
    assert once.split(os.pathsep)[-1] == discovery.search_folder()
    discovery.announce()
    assert os.environ["nnUNet_extTrainer"] == once


def test_announce_adds_nothing_where_the_user_named_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    by_hand = f"{discovery.search_folder()}{os.pathsep}mine"
    monkeypatch.setenv("nnUNet_extTrainer", by_hand)
    discovery.announce()
    assert os.environ["nnUNet_extTrainer"] == by_hand


@pytest.mark.parametrize(("switch", "announces"), [("0", False), ("1", True), ("", True)])
def test_switch(switch: str, announces: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NNUNET_SLPT_AUTOLOAD", switch)
    discovery.announce()
    assert ("nnUNet_extTrainer" in os.environ) is announces


def test_announce_never_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:  # pytest itself writes to the environment between tests
        patched.setattr(os, "environ", RefusesToBeWritten())
        discovery.announce()


def test_import_needs_only_the_standard_library() -> None:
    # Isolated from site-packages (-S), with nothing but this package on the path.
    root = str(Path(discovery.search_folder()).parents[1])
    program = f"import sys; sys.path.append({root!r}); import nnunet_slpt.discovery as d; d.announce()"
    subprocess.run([sys.executable, "-I", "-S", "-c", program], check=True)


@pytest.mark.parametrize(
    ("shell", "expected"),
    [
        ("bash", """export nnUNet_extTrainer='it'"'"'s here'"""),
        ("fish", """set -gx nnUNet_extTrainer 'it'"'"'s here'"""),
        ("powershell", "$env:nnUNet_extTrainer = 'it''s here'"),
        ("cmd", 'set "nnUNet_extTrainer=it\'s here"'),
    ],
)
def test_export_line(shell: str, expected: str) -> None:
    assert discovery.export_line("it's here", shell) == expected


def test_command_prints_the_line_with_what_is_set(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("nnUNet_extTrainer", "mine")
    assert discovery.main([]) == 0
    value = f"mine{os.pathsep}{discovery.search_folder()}"
    assert capsys.readouterr().out == discovery.export_line(value) + "\n"


def test_command_lists_the_shells_it_knows(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        discovery.main(["--shell", "tcsh"])
    assert "powershell" in capsys.readouterr().err
