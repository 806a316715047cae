"""What every process of a distributed test does first and last."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def among_ranks(rank: int, count: int, folder: str) -> Iterator[None]:
    """Meet the other ranks in a folder, and end the process when all are done.

    Gloo aborts a rank that is left alone, and now and then one that takes its threads down in order.
    """
    torch.set_num_threads(1)
    store = torch.distributed.FileStore(f"{folder}/store", count)
    torch.distributed.init_process_group("gloo", store=store, rank=rank, world_size=count)
    yield
    store.set(f"done {rank}", "")
    store.wait([f"done {one}" for one in range(count)])
    os._exit(0)
