"""In this process or in several, the answers are the same, and no process is left behind."""

import math
import os
import signal
import subprocess
import sys
import time

import pytest

from nnunet_slpt.datasets import workers as module
from nnunet_slpt.datasets.workers import Workers
from nnunet_slpt.errors import DatasetError

NUMBERS = [1.0, 4.0, 9.0, 16.0]
ROOTS = list(zip(NUMBERS, [1.0, 2.0, 3.0, 4.0], strict=True))

KILLED = """
import math, multiprocessing, os, signal
from nnunet_slpt.datasets import workers

workers.START_SECONDS = 0.0
with workers.Workers(2) as several:
    list(several.each(math.sqrt, [1.0, 4.0, 9.0, 16.0], ""))
    print(*(child.pid for child in multiprocessing.active_children()), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def several(monkeypatch):
    monkeypatch.setattr(module, "START_SECONDS", 0.0)
    with Workers(2) as several:
        yield several


def test_little_work_is_done_here():
    with Workers(8) as workers:
        pids = {pid for _, pid in workers.each(_pid, NUMBERS, "")}
    assert pids == {os.getpid()}


def test_the_first_item_which_imports_is_not_what_the_others_will_take(monkeypatch):
    monkeypatch.setattr(module, "START_SECONDS", 0.5)
    with Workers(2) as workers:
        assert workers.answers(time.sleep, [0.3, 0.0, 0.0, 0.0], "") == [None] * 4
        assert workers._pool is None
        assert workers.answers(time.sleep, [0.0, 0.3, 0.0, 0.0], "") == [None] * 4
        assert workers._pool is not None


def _pid(_):
    return os.getpid()


def test_several_processes_answer_in_order(several):
    assert list(several.each(math.sqrt, NUMBERS, "")) == ROOTS
    assert several._pool is not None


def test_nothing_to_do(several):
    assert list(several.each(math.sqrt, [], "")) == []


def test_a_killed_process_is_told(several):
    list(several.each(math.sqrt, NUMBERS, ""))
    with pytest.raises(DatasetError, match=r"fewer than 2 processes \(-npp, or -np\)"):
        list(several.each(os._exit, [1, 1], ""))


def test_processes_end_with_a_parent_that_is_killed():
    # Its first line only: processes that did not end would hold the pipe open for ever.
    with subprocess.Popen([sys.executable, "-c", KILLED], stdout=subprocess.PIPE) as process:
        children = [int(pid) for pid in process.stdout.readline().split()]
        assert process.wait() == -signal.SIGKILL
    assert len(children) == 2
    deadline = time.monotonic() + 20
    while any(_runs(pid) for pid in children):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _runs(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A process that has ended and that nobody has asked for its answer yet is there by name alone.
    with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
        return stat.read().rpartition(")")[2].split()[0] != "Z"
