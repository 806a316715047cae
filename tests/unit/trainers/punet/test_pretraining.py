"""One step of a pretraining: what it descends, what it moves, and what a case without a label teaches."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from small_punets import settings
from torch import Tensor

from nnunet_slpt.config import PUNetPretrainConfig
from nnunet_slpt.datasets import NOT_ANNOTATED
from nnunet_slpt.losses import focal_loss
from nnunet_slpt.networks.punet import LabelPUNet
from nnunet_slpt.trainers.punet.classes import Classes
from nnunet_slpt.trainers.punet.pretraining import nnUNetTrainerPUNetPretrain
from nnunet_slpt.trainers.punet.self_supervision import SelfSupervision

LABELS = {"background": 0, "organ": 1, "lesion": 2, "ignore": 3}
RATE = 0.1


class Trainer(nnUNetTrainerPUNetPretrain):
    """As far as a step goes, without a task."""

    def __init__(self, **block: Any) -> None:
        self.config = PUNetPretrainConfig(classes=("organ", "lesion"), **block)
        torch.manual_seed(0)
        self.network = LabelPUNet(self.config.classes, **settings(2) | {"patch_size": (32, 32), "tokens": 3})
        self.network.train_classes(self.config.concurrent, anew=True)
        self.supervision = SelfSupervision(self.network.body, self.config.hidden, self.config.prototypes)
        self.classes = Classes.of(LABELS)
        self.loss = focal_loss
        self.optimizer = torch.optim.SGD(self.network.parameters(), RATE)
        self.device, self.grad_scaler, self.is_ddp = torch.device("cpu"), None, False
        self.inference_allowed_mirroring_axes = (0, 1)


def batch(labelled: bool = True) -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(1)
    label_map = torch.randint(0, 4, (2, 1, 32, 32), generator=draw)
    return {
        "data": torch.randn(2, 2, 32, 32, generator=draw),
        "target": label_map if labelled else torch.full_like(label_map, NOT_ANNOTATED),
    }


def values_of(network: Any) -> list[Tensor]:
    return [values.detach().clone() for values in network.parameters()]


def gradients(trainer: Trainer) -> dict[str, Tensor]:
    return {
        name: one.grad.clone() for name, one in trainer.network.named_parameters() if one.grad is not None
    }


def test_the_student_moves_by_its_gradient_and_the_teacher_a_hundredth_of_the_way_to_it() -> None:
    trainer = Trainer(concurrent=("organ",))
    body, teacher = trainer.network.body, trainer.supervision.teacher.module
    with torch.no_grad():
        for values in body.parameters():
            values.add_(0.1)  # away from the teacher, as in the midst of a training
    before, teacher_before = values_of(body), values_of(teacher)
    trainer.train_step(batch())
    slopes = [torch.zeros_like(one) if one.grad is None else one.grad for one in body.parameters()]
    assert sum(bool(slope.any()) for slope in slopes) > len(slopes) / 2
    for old, new, slope in zip(before, body.parameters(), slopes, strict=True):
        torch.testing.assert_close(new.detach(), old - RATE * slope)
    for old, new, student in zip(teacher_before, values_of(teacher), body.parameters(), strict=True):
        torch.testing.assert_close(new, 0.99 * old + 0.01 * student.detach())


@pytest.mark.parametrize(
    ("weight", "concurrent"), [(2.0, ()), (0.5, ("lesion",)), (0.01, ("organ", "lesion"))]
)
def test_the_gradient_is_that_of_both_losses(weight: float, concurrent: tuple[str, ...]) -> None:
    """The weighted assignment, and the focal loss of each concurrent class over what is annotated."""
    trainer, given = Trainer(concurrent=concurrent, weight_assignment=weight), batch()
    trainer.take_step = lambda *_, **__: None  # type: ignore[method-assign]
    torch.manual_seed(3)  # of the student's view
    told = float(trainer.train_step(given)["loss"])
    found = gradients(trainer)
    trainer.network.zero_grad(set_to_none=True)
    torch.manual_seed(3)
    total = weight * SelfSupervision(trainer.network.body, 0.3, 4).loss(given["data"], (0, 1))
    for name in concurrent:
        logits = trainer.network(given["data"], [name])
        total = total + focal_loss(
            logits, given["target"] == LABELS[name], given["target"] != LABELS["ignore"]
        )
    total.backward()  # type: ignore[no-untyped-call]
    assert told == pytest.approx(total.item(), rel=1e-4)
    expected = gradients(trainer)
    assert found.keys() == expected.keys()
    for name, slope in expected.items():
        torch.testing.assert_close(found[name], slope, rtol=1e-3, atol=1e-5, msg=name)


def test_without_a_weight_there_is_no_self_supervision() -> None:
    """Nor a step, where a batch has no label."""
    trainer = Trainer(concurrent=("organ",), weight_assignment=0.0)
    trainer.supervision.loss = None  # type: ignore[assignment]
    trainer.train_step(batch())
    before = values_of(trainer.network)
    told = trainer.train_step(batch(labelled=False))["loss"]
    assert told == 0
    assert all(torch.equal(*pair) for pair in zip(before, values_of(trainer.network), strict=True))


def test_a_case_without_a_label_teaches_the_body_alone() -> None:
    trainer = Trainer(concurrent=("organ", "lesion"), weight_assignment=1.0)
    trainer.train_step(batch(labelled=False))
    assert {name.split(".")[0] for name in gradients(trainer)} == {"body"}


def test_validation_counts_voxels_of_the_concurrent_classes_where_they_are_annotated() -> None:
    """A network that finds each class in the upper half of every image."""
    trainer, given = Trainer(concurrent=("organ", "lesion")), batch()
    upper = torch.zeros(2, 1, 32, 32, dtype=torch.bool)
    upper[:, :, :16] = True
    trainer.network.forward = lambda x, names: (2.0 * upper - 1).expand(-1, len(names), -1, -1)
    hits = trainer._hits(given)
    for index, name in enumerate(("organ", "lesion")):
        truth, counts = given["target"] == LABELS[name], given["target"] != LABELS["ignore"]
        assert hits["tp_hard"][index] == (truth & upper).sum()
        assert hits["fn_hard"][index] == (truth & ~upper).sum()
        assert hits["fp_hard"][index] == (~truth & upper & counts).sum()
