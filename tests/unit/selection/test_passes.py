"""What the network has seen is not looked at again, and what has changed is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from nnunet_slpt.errors import SelectionError
from nnunet_slpt.selection.passes import Passes
from nnunet_slpt.selection.uncertainty import case_uncertainty

NAMES = ["a", "b", "c", "d"]


class FakeModel:
    """Sees in a case a number that its one image file's name holds."""

    regions = False
    axes = 2

    def __init__(self, sha256: str = "one", step_size: float = 0.5, breaks_at: str = "") -> None:
        self.sha256, self.window, self.breaks_at = sha256, {"step_size": step_size}, breaks_at
        self.seen: list[str] = []

    def preprocess(self, cases: Sequence[tuple[str, Sequence[Path]]], processes: int) -> Iterator[Any]:
        for name, files in cases:
            if name == self.breaks_at:
                raise KeyboardInterrupt
            self.seen.append(name)
            yield name, torch.full((1, 4, 4), float(files[0].stem)), {}

    def features(self, image: Tensor) -> list[np.ndarray]:
        return [image[0, :2, :3].numpy(), image[0, :2, :4].numpy() * 2]

    def predictions(self, image: Tensor) -> Tensor:
        generator = torch.Generator().manual_seed(int(image.mean()))
        return torch.randn(3, 2, 4, 4, generator=generator)


def passes(folder: Path, model: FakeModel, **changed: str) -> Passes:
    images = {name: [Path(f"{number}.png")] for number, name in enumerate(NAMES)}
    keys = {name: f"key of {name}" for name in NAMES} | changed
    return Passes(model, folder, images, keys, preprocessing=0, scoring=2)


def see(one: Passes, kind: str, names: Sequence[str]) -> Any:
    """Look, and tell what was seen."""
    one.see(**{kind: names})
    return getattr(one, kind)(names)


def test_answers_come_in_the_order_of_the_names(tmp_path: Path) -> None:
    features = see(passes(tmp_path, FakeModel()), "features", ["c", "a"])
    assert [case[0][0, 0] for case in features] == [2, 0]
    assert [stage.shape for stage in features[0]] == [(2, 3), (2, 4)]


def test_uncertainty_is_that_of_the_predictions(tmp_path: Path) -> None:
    model = FakeModel()
    (answer,) = see(passes(tmp_path, model), "uncertainty", ["d"])
    expected = case_uncertainty(model.predictions(torch.full((1, 4, 4), 3.0)), regions=False, axes=2)
    assert answer.scores == pytest.approx(expected.scores)
    np.testing.assert_allclose(answer.class_entropy, expected.class_entropy)


@pytest.mark.parametrize("kind", ["features", "uncertainty"])
def test_nothing_is_seen_twice(tmp_path: Path, kind: str) -> None:
    first, second = FakeModel(), FakeModel()
    before = see(passes(tmp_path, first), kind, NAMES)
    after = see(passes(tmp_path, second), kind, NAMES[::-1])
    assert first.seen == NAMES
    assert second.seen == []
    assert repr(before) == repr(after[::-1])


def test_a_case_of_which_both_are_asked_for_is_read_once(tmp_path: Path) -> None:
    model = FakeModel()
    both = passes(tmp_path / "both", model)
    both.see(features=NAMES, uncertainty=NAMES[1:3])
    assert model.seen == NAMES
    assert repr(both.features(NAMES)) == repr(see(passes(tmp_path / "one", FakeModel()), "features", NAMES))
    other = see(passes(tmp_path / "other", FakeModel()), "uncertainty", NAMES[1:3])
    assert repr(both.uncertainty(NAMES[1:3])) == repr(other)
    assert model.seen == NAMES


def test_what_is_remembered_of_one_kind_is_left_out(tmp_path: Path) -> None:
    passes(tmp_path, FakeModel()).see(features=["a", "b"], uncertainty=["b"])
    passes(tmp_path, FakeModel()).see(uncertainty=["c"])
    model = FakeModel()
    passes(tmp_path, model).see(features=["a", "b"], uncertainty=["b", "c", "d"])
    assert model.seen == ["d"]


@pytest.mark.parametrize(
    ("model", "changed", "seen"),
    [
        (FakeModel(), {"b": "drawn again"}, ["b"]),
        (FakeModel(sha256="two"), {}, NAMES),
        (FakeModel(step_size=0.7), {}, NAMES),
    ],
)
def test_a_changed_image_model_or_setting_is_noticed(
    tmp_path: Path, model: FakeModel, changed: dict[str, str], seen: list[str]
) -> None:
    passes(tmp_path, FakeModel()).see(uncertainty=NAMES)
    passes(tmp_path, model, **changed).see(uncertainty=NAMES)
    assert model.seen == seen


def test_features_do_not_depend_on_the_window(tmp_path: Path) -> None:
    passes(tmp_path, FakeModel()).see(features=NAMES)
    model = FakeModel(step_size=0.7)
    passes(tmp_path, model).see(features=NAMES)
    assert model.seen == []


def test_a_broken_run_continues_and_gives_the_same(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        passes(tmp_path / "broken", FakeModel(breaks_at="d")).see(uncertainty=NAMES)
    again = FakeModel()
    continued = see(passes(tmp_path / "broken", again), "uncertainty", NAMES)
    whole = see(passes(tmp_path / "whole", FakeModel()), "uncertainty", NAMES)
    assert "a" not in again.seen
    assert again.seen[-1] == "d"
    assert repr(continued) == repr(whole)


def test_features_that_are_not_finite_are_named_and_not_kept(tmp_path: Path) -> None:
    """As half precision gives where the network overflows; it would spoil a column of all cases."""
    one = Passes(FakeModel(), tmp_path, {"a": [Path("nan.png")]}, {"a": "key"}, preprocessing=0, scoring=2)
    for _ in range(2):
        with pytest.raises(SelectionError, match=r"features of a are not finite.*--exclude"):
            one.see(features=["a"])
