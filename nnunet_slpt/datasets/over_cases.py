"""The same work with each case of a dataset, several at a time.

Must not import the networks or nnU-Net.
"""

__all__ = ["over_cases"]

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import TypeVar

from tqdm import tqdm

from nnunet_slpt.datasets.cases import Case
from nnunet_slpt.errors import DatasetError

T = TypeVar("T")


def over_cases(work: Callable[[Case], T], cases: Sequence[Case], processes: int, title: str) -> list[T]:
    """Do the same with each case, with a bar that shows how far it is.

    Args:
        work: a function that another process can be given.
        cases: one after the other; the answers come in this order.
        processes: how many work at the same time; up to 1 does it in this one.
        title: beside the bar.

    Raises:
        DatasetError: a process was killed.
    """
    bar = partial(tqdm, total=len(cases), desc=title)
    if processes <= 1 or len(cases) <= 1:
        return list(bar(map(work, cases)))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(processes, len(cases)), mp_context=context) as pool:
        try:
            return list(bar(pool.map(work, cases)))
        except BrokenProcessPool as error:
            raise DatasetError(
                "A process that read images was killed, most likely for want of memory. "
                f"Run again with fewer than {processes} processes (-npp)."
            ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
