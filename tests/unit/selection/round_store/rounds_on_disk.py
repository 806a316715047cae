"""Rounds to write, and a program that writes them and dies on the way: run by ``test_killed.py``."""

import os
import shutil
import sys
from pathlib import Path

from nnunet_slpt.selection.round_store import RoundStore
from nnunet_slpt.selection.rounds import Round, ScoredCase
from nnunet_slpt.selection.splits import Fold

KILLED = 9
POOL = [f"Fall ä {number:02d}" for number in range(12)]
BEFORE = '[{"train": ["of", "before"], "val": ["v 1"]}]  '


def a_round(number: int, names: list[str] | None = None, **changes) -> Round:
    """Round ``number``; it chooses three cases of the pool that no other number chooses."""
    chosen = names or POOL[3 * number : 3 * number + 3]
    left = [name for name in POOL if name > chosen[-1]]
    about = {
        "number": number,
        "mode": "hide_labels",
        "seed": 1,
        "strategy": "random",
        "parameters": {},
        "budget_cases": len(chosen),
        "versions": {"nnunet_slpt": "0"},
        "model": None,
        "settings": {},
        "validation": ("v 1",),
        "excluded": (),
        "labelled_before": tuple(POOL[: 3 * number]),
        "cases": [
            ScoredCase(name=name, rank=rank, chosen=name in chosen, value=1 / rank, reason="by lot")
            for rank, name in enumerate([*chosen, *left], start=1)
        ],
    }
    return Round(**{**about, **changes})


def commit(folder: Path, number: int) -> Round:
    """Add a round, with the split and the worklist that belong to it."""
    new = a_round(number)
    folds = [Fold(tuple(POOL[: 3 * number + 3]), ("v 1",))]
    return RoundStore(folder).commit(new, folds, f"rank,case\n1,{new.chosen[0]}\n")


def act(folder: Path, what: str) -> None:
    """Commit the round of that number, ``undo`` the last one, or only ``enter`` as every run does."""
    store = RoundStore(folder)
    if what == "undo":
        store.undo()
    elif what == "enter":
        with store.exclusive():
            pass
    else:
        commit(folder, int(what))


def die_before(step: int, folder: Path) -> list[str]:
    """End this process like ``kill -9``, before it touches the disk for the ``step``-th time.

    Args:
        step: from 0 on.
        folder: touching other files does not count.

    Returns:
        What was touched, growing.
    """
    steps: list[str] = []

    def touch(event: str, file: object) -> None:
        if len(steps) == step:
            os._exit(KILLED)
        steps.append(f"{event} {file}")

    def watch(event: str, arguments: tuple) -> None:
        opened = event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if opened or event in ("os.rename", "os.remove", "os.mkdir", "os.chmod"):
            file = os.fsdecode(arguments[0]) if isinstance(arguments[0], (str, bytes)) else str(arguments[0])
            if file.startswith(str(folder)):
                touch(event, file)

    def lose_half(handle: int) -> None:
        size = os.fstat(handle).st_size
        if len(steps) == step and size and os.path.isfile(f"/proc/self/fd/{handle}"):
            os.ftruncate(handle, size // 2)  # as if the power had failed
        touch("os.fsync", handle)

    os.fsync = lose_half
    sys.addaudithook(watch)
    return steps


def main(base: Path, what: str, results: Path) -> None:
    """Let ``what`` die at every step, each on its own copy of ``base``; print the number of steps."""
    for step in range(1000):
        folder = results / f"{step:03d}"
        shutil.copytree(base, folder)
        child = os.fork()
        if child == 0:
            steps = die_before(step, folder)
            act(folder, what)
            print("\n".join(steps), flush=True)
            os._exit(0)
        if os.waitpid(child, 0)[1] == 0:
            shutil.rmtree(folder)
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
