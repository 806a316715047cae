"""Work on many cases, in this process or in several, whichever is done sooner; with a progress bar.

Must not know what the work is, nor import anything of this package but ``errors``.
"""

__all__ = ["Workers"]

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from tqdm import tqdm

from nnunet_slpt.errors import DatasetError

Item = TypeVar("Item")
Answer = TypeVar("Answer")

# A new process imports PyTorch and nnU-Net before it can do anything. Less work than this is done here.
START_SECONDS = 10.0


class Workers:
    """Processes that are started when there is enough to do, and end with this one, even if it is killed.

    Args:
        processes: at most so many; 1 does all in this process.
    """

    def __init__(self, processes: int) -> None:
        self.processes = processes
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def answers(
        self, work: Callable[[Item], Answer], items: Sequence[Item], description: str
    ) -> list[Answer]:
        """All answers, in the order of the items; as ``each``."""
        return [answer for _, answer in self.each(work, items, description)]

    def each(
        self, work: Callable[[Item], Answer], items: Sequence[Item], description: str
    ) -> Iterator[tuple[Item, Answer]]:
        """Items and answers, in the order of the items.

        Args:
            work: a function of a module, so that another process finds it too.
            items: that can be sent to another process.
            description: of the progress bar.

        Raises:
            DatasetError: a process was killed.
        """
        with tqdm(total=len(items), desc=description, disable=not items) as bar:
            for item, answer in zip(items, self._answers(work, items), strict=True):
                bar.update()
                yield item, answer

    def _answers(self, work: Callable[[Item], Answer], items: Sequence[Item]) -> Iterator[Answer]:
        done, start = 0, 0.0
        while done < len(items) and not self._worth_it(time.monotonic() - start, done, len(items)):
            yield work(items[done])
            done += 1
            start = start or time.monotonic()  # the first one imports what all need, so it tells nothing
        if done == len(items):
            return
        try:
            yield from self._started(len(items)).map(work, items[done:])
        except BrokenProcessPool as error:
            raise DatasetError(
                "A process was killed, most likely for want of memory. Start again with fewer than "
                f"{self.processes} processes (-npp, or -np); what is done stays done. A script of your "
                'own has to call this under if __name__ == "__main__".'
            ) from error

    def _worth_it(self, seconds: float, done: int, items: int) -> bool:
        """Whether others shall do the rest, by the seconds that all but the first took."""
        if self.processes <= 1 or items - done <= 1:
            return False
        if self._pool is not None:
            return True
        return done > 1 and seconds / (done - 1) * (items - done) > START_SECONDS

    def _started(self, items: int) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                min(self.processes, items), multiprocessing.get_context("spawn"), _end_with_parent
            )
        return self._pool


def _end_with_parent() -> None:
    """In a worker: without this it would wait for ever for work from a parent that was killed."""
    threading.Thread(target=_wait_for, args=(multiprocessing.parent_process(),), daemon=True).start()


def _wait_for(parent: Any) -> None:
    parent.join()
    os._exit(1)
