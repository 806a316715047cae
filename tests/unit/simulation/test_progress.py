"""The time that is left is told by what the cells of the same method have taken."""

import pytest

from nnunet_slpt.evaluation.cells import CellKey
from nnunet_slpt.simulation import progress as module
from nnunet_slpt.simulation.grid import Campaign
from nnunet_slpt.simulation.progress import Progress

SLOW = [CellKey("slow", "x", 5, seed) for seed in range(3)]
QUICK = [CellKey("quick", "x", 5, seed) for seed in range(3)]
LONG = Campaign("slow", "y", 0, (5, 10, 20))


class Clock:
    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def test_each_method_has_its_own_pace(clock: Clock) -> None:
    with Progress([*SLOW, *QUICK], [], jobs=1) as progress:
        progress.begin()
        clock.now = 100
        progress.finished(SLOW[0])
        assert progress.seconds_left() == pytest.approx(5 * 100)  # nothing is known of the quick ones
        clock.now = 110
        progress.finished(QUICK[0])
        assert progress.seconds_left() == pytest.approx(2 * 100 + 2 * 10)


def test_jobs_share_what_is_left(clock: Clock) -> None:
    with Progress(SLOW, [], jobs=2) as progress:
        progress.begin()
        clock.now = 60
        progress.finished(SLOW[0])
        assert progress.seconds_left() == pytest.approx(60)


def test_the_cells_of_a_campaign_come_one_by_one(clock: Clock) -> None:
    with Progress([*SLOW, *LONG.cells], [], jobs=4) as progress:
        progress.begin()
        clock.now = 60
        progress.finished(SLOW[0])
        assert progress.seconds_left() == pytest.approx(3 * 60)
        for cell in [*SLOW[1:], *LONG.cells]:
            progress.finished(cell)
        assert progress.seconds_left() == 0


def test_nothing_is_expected_of_a_campaign_that_cannot_go_on(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with Progress([*SLOW, *LONG.cells], [], jobs=1) as progress:
        progress.begin()
        clock.now = 60
        progress.finished(SLOW[0])
        progress.give_up(LONG, "it broke")
        assert progress.seconds_left() == pytest.approx(2 * 60)
    assert "slow__y__0 cannot go on: it broke" in capsys.readouterr().out


def test_a_cell_of_an_earlier_call_teaches_nothing(clock: Clock) -> None:
    with Progress(SLOW, SLOW[:1], jobs=1) as progress:
        progress.begin()
        clock.now = 1
        progress.finished(SLOW[0])
        clock.now = 41
        progress.finished(SLOW[1])
        assert progress.seconds_left() == pytest.approx(40)


@pytest.mark.parametrize(("seconds", "words"), [(50, "50 s"), (725, "12 min"), (12600, "3.5 h")])
def test_in_words(seconds: float, words: str) -> None:
    assert module._in_words(seconds) == words
