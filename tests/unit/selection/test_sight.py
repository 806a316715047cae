"""Which cases the network looks at for a strategy, and what is told of the model."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from some_rounds import round_of

from nnunet_slpt.datasets.cases import Case
from nnunet_slpt.errors import SelectionError
from nnunet_slpt.selection.pool import Pool
from nnunet_slpt.selection.request import Request
from nnunet_slpt.selection.sight import Sight
from nnunet_slpt.selection.strategies import make_strategy

POOL = Pool(tuple("abcd"), ("e",), ("f", "g"), ("h",), ("i",), ())
WINDOW = {"step_size": 0.5, "mirrored_axes": []}
MADE_AT = 1_000_000.0


class FakeModel:
    """Sees in a case the number of its letter; has two folds, and fits no dataset."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.sha256, self.window = folder, "one", WINDOW
        self.checkpoints = tuple(folder / f"fold_{fold}" / "checkpoint_final.pth" for fold in (0, 1))
        self.seen: list[str] = []
        for file in self.checkpoints:
            file.parent.mkdir()
            file.touch()
            os.utime(file, (MADE_AT + 1, MADE_AT + 1))

    def check_fits(self, dataset_json: object) -> None:
        raise SelectionError("second stage of a cascade")

    def preprocess(self, cases: Sequence[tuple[str, Any]], processes: int) -> Iterator[Any]:
        for name, _ in cases:
            self.seen.append(name)
            yield name, torch.full((1, 2, 2), float(ord(name))), {}

    def features(self, image: torch.Tensor) -> list[np.ndarray]:
        return [image[0].numpy()]


@pytest.fixture
def model(tmp_path: Path) -> FakeModel:
    return FakeModel(tmp_path)


@pytest.fixture
def sight(tmp_path: Path, model: FakeModel) -> Sight:
    cases = {name: Case(name, (Path(name),), Path(name), labelled=False) for name in "abcdefghi"}
    one = Sight(Request(dataset="1", budget="2", save_maps=True), cases, {}, tmp_path)
    vars(one)["model"] = model
    return one


def test_cases_that_wait_are_centres_like_labelled_ones(sight: Sight, model: FakeModel) -> None:
    given = sight.candidates(make_strategy("diversity", {}), POOL, 1, {name: name for name in "abcdefg"})
    assert model.seen == list("abcdefg")
    assert given.names == tuple("abcd")
    together = np.concatenate([given.features, given.labelled_features])
    assert len(given.labelled_features) == 3
    assert (np.diff(together[:, 0]) > 0).all()  # a to g, each with its own features


class UnsureModel(FakeModel):
    """Predicts an organ and a lesion at the ends of a row of voxels; of two voxels it knows nothing."""

    regions, axes = False, 3
    predictor = SimpleNamespace(dataset_json={"labels": {"background": 0, "organ": 1, "lesion": 2}})

    def predictions(self, image: torch.Tensor) -> torch.Tensor:
        labels = torch.tensor([1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2])
        logits = 99 * torch.nn.functional.one_hot(labels).T.float()
        logits[0, [8, 14]] = 1e-3  # background by a hair
        return logits.view(1, 3, 1, 16).repeat(2, 1, 1, 1)


@pytest.mark.parametrize(
    ("aggregation", "expected"),
    [
        ("sum", 2),  # voxels that are unsure
        ("mean", 2 / 16),
        ("top", 1),  # of so few voxels the top is one
        ("foreground", 1 / 8),  # with a rim of two voxels: five around the organ, three around the lesion
        ("classes", (0 / 5 + 1 / 3) / 2),
    ],
)
def test_the_aggregation_that_is_asked_for_makes_the_scores(
    tmp_path: Path, aggregation: str, expected: float
) -> None:
    cases = {"a": Case("a", (Path("a"),), Path("a"), labelled=False)}
    one = Sight(Request(dataset="1", budget="1", aggregation=aggregation), cases, {}, tmp_path)
    vars(one)["model"] = UnsureModel(tmp_path)
    pool = Pool(("a",), (), (), (), (), ())
    given = one.candidates(make_strategy("entropy", {}), pool, 1, {"a": "key"})
    assert given.scores["entropy"] == pytest.approx(expected * math.log(3), rel=1e-3)
    assert given.classes == ("organ", "lesion")


def test_only_cases_whose_images_were_checked_are_looked_at(sight: Sight, model: FakeModel) -> None:
    assert sight.see(make_strategy("diversity", {}), POOL, {name: name for name in "bfh"}) == 2
    assert model.seen == ["b", "f"]


def test_for_maps_too_the_model_has_to_fit(sight: Sight) -> None:
    with pytest.raises(SelectionError, match="second stage of a cascade"):
        sight.check(make_strategy("random", {}))


@pytest.mark.parametrize(
    ("strategy", "asked", "uses"),
    [
        ("random", {}, False),
        ("foreground_random", {}, False),
        ("random", {"save_maps": True}, True),
        ("random", {"prelabel": True}, True),
        ("kmeans", {}, True),
        ("entropy", {}, True),
    ],
)
def test_the_model_is_used_where_something_needs_it(
    tmp_path: Path, strategy: str, asked: dict[str, Any], uses: bool
) -> None:
    one = Sight(Request(dataset="1", budget="2", **asked), {}, {}, tmp_path)
    assert one.uses_model(make_strategy(strategy, {})) is uses


def test_a_device_that_is_not_there_matters_to_who_loads_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    one = Sight(Request(dataset="1", budget="2", device="cuda"), {}, {}, tmp_path)
    one.check(make_strategy("random", {}))
    with pytest.raises(SelectionError, match="-device is cuda"):
        one.check(make_strategy("kmeans", {}))


def test_the_window_is_told_where_it_matters(sight: Sight, model: FakeModel) -> None:
    checkpoints = [f"fold_{fold}/checkpoint_final.pth" for fold in (0, 1)]
    expected = {"folder": str(model.folder), "checkpoints": checkpoints, "sha256": "one"}
    assert sight.about(predicts=False) == expected
    assert sight.about(predicts=True) == expected | {"window": WINDOW}
    assert sight.in_words() == f"Looking with {model.folder}: fold_0, fold_1 (checkpoint_final.pth)."


@pytest.mark.parametrize(
    ("before", "sha256", "told"),
    [([], "another", []), ([1], "another", ["fold_1"]), ([], "one", ["fold_0", "fold_1"])],
)
def test_folds_from_before_a_round_are_told(
    sight: Sight, model: FakeModel, before: list[int], sha256: str, told: list[str]
) -> None:
    for fold in before:
        os.utime(model.checkpoints[fold], (MADE_AT - 1, MADE_AT - 1))
    assert sight.folds_before(round_of(model={"sha256": sha256}), MADE_AT) == told


@pytest.mark.parametrize(("age", "told"), [(-1, False), (1, True)])
def test_a_newer_tuning_on_all_cases_is_told_of(sight: Sight, model: FakeModel, age: int, told: bool) -> None:
    of_all = model.folder / "fold_all" / "checkpoint_final.pth"
    of_all.parent.mkdir()
    of_all.touch()
    os.utime(of_all, (MADE_AT + 1 + age, MADE_AT + 1 + age))
    assert ("fold_all is newer: -f all looks with it" in sight.in_words()) == told
