"""Cases without a label on the tiny task: preprocessed, pretrained on, refused where labels are needed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tiny_punet import PRETRAINER, TUNER, model_of, pretrain, punet_plans

from nnunet_slpt.errors import DatasetError
from nnunet_slpt.networks.punet.network import trained_classes
from nnunet_slpt.preprocessing.cli import main

DATASET = "Dataset801_Tiny"
ASKED = ("-d", "801", "-p", "nnUNetPlans", "-c", "3d_fullres", "-np", "1", "--unlabelled")


@pytest.fixture
def unlabel(task: Any) -> Callable[..., Any]:
    """Take labels away, and preprocess all that is there."""

    def without(*numbers: int, labels: dict[str, int] | None = None) -> Any:
        for number in numbers:
            (task.raw / DATASET / "labelsTr" / f"case_{number}.nii.gz").unlink()
        if labels:
            file = task.raw / DATASET / "dataset.json"
            file.write_text(json.dumps(json.loads(file.read_text()) | {"labels": labels}))
        assert main(ASKED) == 0
        return task

    return without


def dice(trainer: Any) -> Any:
    return trainer.logger.get_value("dice_per_class_or_region", step=-1)


def test_pretrained_without_any_label(unlabel: Callable[..., Any]) -> None:
    task = unlabel(*range(6))
    trainer = pretrain(task, epochs=2)
    assert "4 training cases; 0 of them have a label. Segmented beside it: nothing." in task.log()
    assert np.isnan(dice(trainer)).all()
    assert np.isfinite(
        [trainer.logger.get_value(key, step=None) for key in ("train_losses", "val_losses")]
    ).all()
    assert np.isfinite(trainer.logger.get_value("ema_fg_dice", step=None)).all()
    # No epoch is better than another, so that none is kept as the best.
    assert {file.name for file in task.output().glob("*.pth")} == {"checkpoint_final.pth"}
    assert "Warning" not in task.log()
    assert trained_classes(task.checkpoint()["network_weights"]) == []


@pytest.mark.parametrize(
    ("labels", "concurrent", "found"),
    [(None, ["organ"], 1), (None, [], 0), ({"background": 0, "organ": 1, "lesion": 2, "ignore": 3}, None, 2)],
)
def test_pretrained_on_both_kinds(
    unlabel: Callable[..., Any], labels: dict[str, int] | None, concurrent: list[str] | None, found: int
) -> None:
    task = unlabel(0, 1, 2, 5, labels=labels)
    trainer = pretrain(task, concurrent=concurrent)
    trained = ["organ", "lesion"] if concurrent is None else concurrent
    assert trained_classes(task.checkpoint()["network_weights"]) == trained
    assert re.search(r"4 training cases; 1 of them have a label\. Segmented beside it: ", task.log())
    assert len(dice(trainer)) == found
    assert np.isfinite(trainer.logger.get_value("train_losses", step=-1))


@pytest.mark.parametrize("trainer_name", ["nnUNetTrainerSLPT", "nnUNetTrainerHead", TUNER])
@pytest.mark.parametrize("number", [0, 4])
def test_refused_where_labels_are_needed(unlabel: Callable[..., Any], trainer_name: str, number: int) -> None:
    task = unlabel(number)
    pretrained = task.pretrained
    if trainer_name == TUNER:
        pretrain(task)
        pretrained = task.folder / "punet.pth"
        model_of(task).rename(pretrained)
        punet_plans(task)
    task.trainer_name = trainer_name
    trainer = task.trainer(pretrained=pretrained)
    words = rf"1 of 6 cases of this fold have no label: case_{number}\. .*{PRETRAINER}.*without it"
    with pytest.raises(DatasetError, match=words):
        trainer.run_training()
    assert not task.output().exists()
