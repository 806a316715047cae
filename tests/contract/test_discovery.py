"""nnU-Net finds our trainer in a fresh environment, from a wheel and from an editable install.

Everything runs in child processes, in throw-away environments that see the packages of the current one.
It uses no network and writes nothing into the repository.
"""

import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[2]
WHAT_A_BUILD_NEEDS = ("setup.cfg", "pyproject.toml", "README.md", "LICENSE", "nnunet_slpt")

# Asks nnU-Net for our trainer, as its commands do, and for others by their names.
PROGRAM = """
import json, multiprocessing, os, pickle, sys

def find(name):
    from nnunetv2.utilities.find_objects import recursive_find_trainer_class_by_name
    return recursive_find_trainer_class_by_name(name)

if __name__ == "__main__":
    others = {name: find(name).__module__ for name in sys.argv[1:]}
    found = find("nnUNetTrainerSLPT")
    import nnunet_slpt
    from nnunet_slpt.trainers import nnUNetTrainerSLPT
    answer = {
        "is_ours": found is nnUNetTrainerSLPT,
        "survives_pickle": pickle.loads(pickle.dumps(found)) is found,
        "left_behind": [module for module in sys.modules if module.startswith("nnunet_slpt_")],
        "package": nnunet_slpt.__file__,
        "others": others,
        "variable": os.environ["nnUNet_extTrainer"],
    }
    print("answer:", json.dumps(answer))
"""

# The child is asked when its parent has not imported torch, so that it has to find the class by itself.
# Pickle then brings the class over, and the parent looks whether it is the one it knows.
PROGRAM_WITH_CHILD = """
import multiprocessing
from program import find

if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found = pool.apply(find, ["nnUNetTrainerSLPT"])
    from nnunet_slpt.trainers import nnUNetTrainerSLPT
    print("answer:", "true" if found is nnUNetTrainerSLPT else "false")
"""


def shell(command: list[str | Path], folder: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run a command as in a new shell: away from the repository, and with none of our variables set."""
    ours = ("nnUNet_extTrainer", "NNUNET_SLPT_AUTOLOAD", "TORCH_DEVICE_BACKEND_AUTOLOAD", "PYTHONPATH")
    clean = {name: value for name, value in os.environ.items() if name not in ours}
    return subprocess.run(
        command, cwd=folder, env=clean | variables, capture_output=True, text=True, timeout=300, check=False
    )


def answer(result: "subprocess.CompletedProcess[str]") -> Any:
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.rpartition("answer:")[2])


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what a build needs: building in place would leave its traces in the repository."""
    folder = tmp_path_factory.mktemp("source")
    for name in WHAT_A_BUILD_NEEDS:
        path = REPOSITORY / name
        if path.is_dir():
            shutil.copytree(path, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, folder)
    return folder


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = ["-m", "pip", "wheel", "--no-build-isolation", "--no-deps", "--no-index", "-w", folder, source]
    result = shell([sys.executable, *build], folder)
    assert result.returncode == 0, result.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def install(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Install something into a new environment and return that environment's Python."""

    def install(*what: str | Path) -> Path:
        folder = tmp_path_factory.mktemp("environment")
        venv.create(folder, symlinks=True)
        python = folder / "bin" / "python"
        # A path file lends the packages of the current environment, but none of its editable installs.
        lent = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
        own = next(folder.glob("lib/python*/site-packages"))
        (own / "lent.pth").write_text("\n".join(lent))
        flags = ["--no-build-isolation", "--no-deps", "--no-index", "--ignore-installed"]
        result = shell([python, "-m", "pip", "install", *flags, *what], folder)
        assert result.returncode == 0, result.stderr
        return python

    return install


@pytest.fixture(scope="module")
def python_with_wheel(install: Callable[..., Path], wheel: Path) -> Path:
    return install(wheel)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working folder with the programs in it."""
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "program_with_child.py").write_text(PROGRAM_WITH_CHILD)
    return tmp_path


def holds(found: dict[str, Any], package: Path) -> None:
    """What every way of finding the class has to give."""
    assert found["is_ours"], "a second copy of the class"
    assert found["survives_pickle"]
    assert not found["left_behind"], "nnU-Net is expected to forget the re-exporting module"
    assert Path(found["package"]).is_relative_to(package), "the test ran on another copy of the package"


def test_wheel(python_with_wheel: Path, folder: Path) -> None:
    found = answer(shell([python_with_wheel, "program.py"], folder))
    holds(found, python_with_wheel.parents[1])


def test_spawned_child(python_with_wheel: Path, folder: Path) -> None:
    assert answer(shell([python_with_wheel, "program_with_child.py"], folder)) is True


def test_editable_install(install: Callable[..., Path], source: Path, folder: Path) -> None:
    found = answer(shell([install("--editable", source), "program.py"], folder))
    holds(found, source)


def test_trainers_of_the_user_are_still_found(python_with_wheel: Path, folder: Path) -> None:
    mine = folder / "mine"
    mine.mkdir()
    host = "nnunetv2.training.nnUNetTrainer.nnUNetTrainer"
    (mine / "users_trainers.py").write_text(
        f"from {host} import nnUNetTrainer\n\n\nclass nnUNetTrainerMine(nnUNetTrainer):\n    pass\n"
    )
    program = [python_with_wheel, "program.py", "nnUNetTrainerMine"]
    found = answer(shell(program, folder, nnUNet_extTrainer=str(mine)))
    holds(found, python_with_wheel.parents[1])
    assert found["others"] == {"nnUNetTrainerMine": "users_trainers"}
    assert found["variable"].split(os.pathsep)[0] == str(mine)


def test_switched_off(python_with_wheel: Path, folder: Path) -> None:
    ask = "import os, torch; print(os.environ.get('nnUNet_extTrainer'))"
    assert shell([python_with_wheel, "-c", ask], folder).stdout.strip().endswith("_nnunet_search_path")
    assert shell([python_with_wheel, "-c", ask], folder, NNUNET_SLPT_AUTOLOAD="0").stdout.strip() == "None"


def test_switched_off_and_set_by_hand(python_with_wheel: Path, folder: Path) -> None:
    line = f'eval "$({python_with_wheel.with_name("nnunet_slpt_env")})" && {python_with_wheel} program.py'
    found = answer(shell(["sh", "-c", line], folder, NNUNET_SLPT_AUTOLOAD="0"))
    holds(found, python_with_wheel.parents[1])


def test_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"nnunet_slpt"}
    assert "nnunet_slpt/py.typed" in names
    assert [name for name in names if "/_nnunet_search_path/" in name] == [
        "nnunet_slpt/_nnunet_search_path/nnunet_slpt_trainers.py"
    ]
