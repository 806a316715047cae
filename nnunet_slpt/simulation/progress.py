"""How far a simulation is, and how long it will still take by what its cells have taken so far.

Must not import torch or nnU-Net.
"""

__all__ = ["Progress"]

import threading
import time
from collections import defaultdict
from collections.abc import Iterable
from types import TracebackType

from tqdm import tqdm

from nnunet_slpt.evaluation.cells import CellKey
from nnunet_slpt.simulation.grid import Campaign


class Progress:
    """A bar over cells; may be told from several threads.

    A method's cells are expected to take what its own have taken in this call, or, before the first of them,
    what those of the others have.

    Args:
        cells: all of this call.
        finished: those that were there before.
        jobs: how many run at the same time.
    """

    def __init__(self, cells: Iterable[CellKey], finished: Iterable[CellKey], jobs: int) -> None:
        self._all, self._there, self._jobs = list(cells), set(finished), jobs
        self._seconds: dict[str, list[float]] = defaultdict(list)
        self._since: dict[int, float] = {}
        self._lock = threading.Lock()
        self._bar = tqdm(
            total=len(self._all),
            initial=len(self._there),
            unit="cell",
            bar_format="{desc}{n}/{total} |{bar}| {elapsed}{postfix}",
        )

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()

    def begin(self) -> None:
        """This thread begins with a campaign now."""
        with self._lock:
            self._since[threading.get_ident()] = time.monotonic()

    def finished(self, cell: CellKey) -> None:
        """This thread has a cell's result.

        Args:
            cell: whose; one that was there before changes nothing.
        """
        with self._lock:
            now, me = time.monotonic(), threading.get_ident()
            if cell not in self._there:
                self._seconds[cell.method].append(now - self._since[me])
                self._there.add(cell)
                self._bar.set_postfix_str(f"about {_in_words(self.seconds_left())} left", refresh=False)
                self._bar.update()
            self._since[me] = now

    def seconds_left(self) -> float:
        """An estimate: the cells that are left, shared by the jobs, of which a campaign has one at most."""
        everything = [seconds for taken in self._seconds.values() for seconds in taken]
        left: dict[tuple[str, str, int], float] = defaultdict(float)
        for cell in self._all:
            if cell not in self._there:
                taken = self._seconds.get(cell.method) or everything
                left[cell.method, cell.strategy, cell.seed] += sum(taken) / len(taken)
        return max([sum(left.values()) / self._jobs, *left.values()])

    def give_up(self, campaign: Campaign, why: object) -> None:
        """Say that a campaign cannot go on, and wait for its cells no more.

        Args:
            campaign: which.
            why: for people.
        """
        with self._lock:
            self._all = [cell for cell in self._all if cell not in campaign.cells]
            self._bar.write(f"{campaign.name} cannot go on: {why}")


def _in_words(seconds: float) -> str:
    """Rounded as far as it deserves: ``50 s``, ``12 min``, ``3.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
