"""An interruption reaches every campaign that runs, and those that wait."""

import threading

import pytest

from nnunet_slpt.errors import SimulationError
from nnunet_slpt.simulation.grid import Campaign
from nnunet_slpt.simulation.workflow import _at_once

SECONDS = 60
FIRST, SECOND, THIRD = (Campaign("slpt", "random", seed, (2,)) for seed in range(3))


def test_an_interruption_stops_what_runs_and_begins_no_other() -> None:
    stop, runs, stopped = threading.Event(), threading.Event(), []

    def run(campaign: Campaign) -> bool:
        if campaign == FIRST:
            runs.wait(SECONDS)
            raise KeyboardInterrupt
        runs.set()
        stopped.append((campaign, stop.wait(SECONDS)))
        return False

    with pytest.raises(SimulationError, match="The same call goes on from here"):
        _at_once(run, [FIRST, SECOND], 2, stop)
    assert stopped == [(SECOND, True)]


def test_without_an_interruption_nothing_is_stopped() -> None:
    stop = threading.Event()
    assert _at_once(lambda campaign: campaign != SECOND, [FIRST, SECOND, THIRD], 2, stop) == [
        True,
        False,
        True,
    ]
    assert not stop.is_set()
