"""The trainer that nnU-Net runs: ``nnUNetv2_train … -tr nnUNetTrainerPUNetPretrain``.

Owns how self-supervision and the segmentation of some classes make a body together.
"""

__all__ = ["nnUNetTrainerPUNetPretrain"]

import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
from torch import Tensor, nn

from nnunet_slpt.config import PUNetPretrainConfig, check_revision
from nnunet_slpt.datasets import UNLABELLED
from nnunet_slpt.errors import ConfigError, one_of
from nnunet_slpt.files import write_json
from nnunet_slpt.losses import focal_loss
from nnunet_slpt.networks.punet import LabelPUNet
from nnunet_slpt.trainers.punet.self_supervision import SelfSupervision
from nnunet_slpt.trainers.punet.training import PUNetTrainer
from nnunet_slpt.trainers.start import MANY_WEIGHTS
from nnunet_slpt.trainers.training_cases import check_numbers

TEACHER = "teacher_weights"  # in the checkpoint, so that a continued run goes on as it would have
COLLAPSED = 0.999  # mean cosine of two voxels, of which an untrained body has 0.3 to 0.8


class nnUNetTrainerPUNetPretrain(PUNetTrainer):
    """Pretrains a PUNet on labelled and unlabelled cases: self-supervision, and some classes beside it.

    Everything that can be set comes from ``plans["slpt"]``; see ``PUNetPretrainConfig``. No class takes part
    in the self-supervision. Where there are labels, each concurrent class is segmented with its tokens, too.

    References:
        PUNet (arXiv:2211.09233).
    """

    recipe = MANY_WEIGHTS
    opening = "From scratch:"
    settings = PUNetPretrainConfig
    supervision: SelfSupervision

    @staticmethod
    def build_network_architecture(
        plans_manager: PlansManager,
        configuration_manager: Any,
        num_input_channels: int,
        num_output_channels: int,
        enable_deep_supervision: bool = True,
    ) -> nn.Module:
        """The network with the classes that the plans name; nnU-Net's predictor calls this too."""
        check_revision(plans_manager.plans)
        config = PUNetPretrainConfig.from_plans(plans_manager.plans)
        measures = PUNetTrainer.measures(configuration_manager, num_input_channels)
        return LabelPUNet(config.classes, not config.region_based, **measures)

    @classmethod
    def configure(cls, plans: dict[str, Any], configuration: str, dataset_json: dict[str, Any]) -> Any:
        """As any training's; refuses concurrent classes that the dataset does not have."""
        config = super().configure(plans, configuration, dataset_json)
        concurrent = config.classes if config.concurrent is None else config.concurrent
        for name in concurrent:
            if name not in config.classes:
                raise ConfigError(f'plans["slpt"]["concurrent"]: {one_of("label", name, config.classes)}.')
        return replace(config, concurrent=concurrent)

    def initialize(self) -> None:
        """As nnU-Net, with a teacher; refuses ``-pretrained_weights``, and a patch of one prototype."""
        self.refuse_pretrained("To tune tokens in them, take -tr nnUNetTrainerPUNet.")
        super().initialize()
        with self._leaving_nothing_behind():
            self.supervision = SelfSupervision(self.punet.body, self.config.hidden, self.config.prototypes)
            if self.config.weight_assignment:
                self.supervision.check_patch()

    def _start(self) -> str:
        return f"{sum(weights.numel() for weights in self.tuned_parameters()):,} parameters."

    def _build_loss(self) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
        """Of one class against the rest."""
        return focal_loss

    def check_training_cases(self, training: Any, validation: Any, available: Any) -> None:
        """As any training's, but no case needs a label; says how many have one, and what they teach.

        Refuses to learn nothing: no class, and no weight of the self-supervision.
        """
        check_numbers(training, validation, available)
        labelled = [case for case in training.identifiers if not training.load_case(case)[3].get(UNLABELLED)]
        trained = self.config.concurrent if labelled else ()
        if not (trained or self.config.weight_assignment):
            raise ConfigError(
                'plans["slpt"]["weight_assignment"] is 0 and no class is segmented, so there is nothing to '
                f"learn: {len(labelled)} training cases have a label. Give it a weight, or label cases."
            )
        self.punet.train_classes(trained, anew=self.current_epoch == 0)
        beside = ", ".join(trained) or "nothing"
        self.print_to_log_file(
            f"Self-supervision on {len(training.identifiers)} training cases; {len(labelled)} of them have a "
            f"label. Segmented beside it: {beside}."
        )

    @staticmethod
    def get_validation_transforms(*args: Any, **kwargs: Any) -> Any:
        """As nnU-Net, but labels stay a map: this validation cuts regions out of it as the training does."""
        return nnUNetTrainer.get_validation_transforms(*args, **{**kwargs, "regions": None})

    def get_dataloaders(self) -> Any:
        """As nnU-Net, which with an ignore label would warn of every case without a label."""
        warnings.filterwarnings("ignore", "Warning! No annotated pixels in image!")
        return super().get_dataloaders()

    def train_step(self, batch: dict[str, Any]) -> dict[str, Any]:
        """One optimizer step: self-supervision, then the concurrent classes one after the other."""
        self.optimizer.zero_grad(set_to_none=True)
        losses = []
        with self.without_sync():
            for value in self._losses(batch):
                self.backward(value)
                losses.append(value.detach())
        if losses or self.is_ddp:  # other ranks may have some
            self.take_step(has_foreground=True)  # there need not be any
        self.supervision.follow()
        return {"loss": np.float32(sum(float(value) for value in losses))}

    def _losses(self, batch: dict[str, Any]) -> Iterator[Tensor]:
        """The terms of the loss, each a graph of its own."""
        images = batch["data"].to(self.device, non_blocking=True)
        if self.config.weight_assignment:
            with self.autocast():
                assignment = self.supervision.loss(images, self.inference_allowed_mirroring_axes or ())
            yield self.config.weight_assignment * assignment
        annotated = self.config.concurrent and not self.classes.unknown(batch["target"]).all()
        if not annotated:
            return
        label_map = batch["target"].to(self.device, non_blocking=True)
        for name in self.config.concurrent:
            target = self.classes.target(label_map, [name])
            with self.autocast():
                logits = self.network(images, [name])
                value = self.loss(logits, target[:, :1], ~target[:, 1:])
            yield value

    def validation_step(self, batch: dict[str, Any]) -> dict[str, Any]:
        """The loss of a batch, and how well the concurrent classes are found where there are labels."""
        total = sum(float(value) for value in self._losses(batch))
        return {"loss": np.float64(total), **self._hits(batch)}

    def _hits(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Voxels of each concurrent class that are found, falsely found and missed, as nnU-Net names them."""
        names = self.config.concurrent
        label_map = batch["target"].to(self.device, non_blocking=True)
        target = self.classes.target(label_map, names)
        counts = ~target[:, -1:]
        truth = target[:, :-1] & counts
        found = torch.zeros_like(truth)
        if counts.any() and names:
            with self.autocast():
                found = (self.network(batch["data"].to(self.device, non_blocking=True), names) > 0) & counts
        axes = [0, *range(2, found.ndim)]
        hits = {"tp": found & truth, "fp": found & ~truth, "fn": ~found & truth}
        return {f"{key}_hard": value.sum(axes).cpu().numpy() for key, value in hits.items()}

    def on_validation_epoch_end(self, val_outputs: list[dict[str, Any]]) -> None:
        """As any training's; logs whether features still differ, and warns if they do not."""
        super().on_validation_epoch_end(val_outputs)
        if not self.config.weight_assignment:
            return
        likeness = self.supervision.likeness()
        self.print_to_log_file(f"Mean cosine of two voxels' features: {likeness:.3f} (1: all are alike)")
        if likeness > COLLAPSED:
            self.print_to_log_file(
                "WARNING: all features are alike, so no token can tell one voxel from another. Lower "
                'plans["slpt"]["learning_rate"], or segment a class beside it.'
            )

    def write_checkpoint(self, part: Path) -> None:
        """As any training's, with the teacher."""
        super().write_checkpoint(part)
        content = torch.load(part, map_location="cpu", weights_only=False)
        torch.save(content | {TEACHER: self.supervision.teacher.state_dict()}, part)

    def load_checkpoint(self, filename_or_checkpoint: str) -> None:
        """As nnU-Net, with the teacher."""
        super().load_checkpoint(filename_or_checkpoint)
        content = torch.load(filename_or_checkpoint, map_location=self.device, weights_only=False)
        self.supervision.teacher.load_state_dict(content[TEACHER])

    def perform_actual_validation(self, save_probabilities: bool = False) -> None:
        """None: what a pretraining is worth shows in what is tuned on it.

        A summary of no cases is written, without which ``nnUNetv2_export_model_to_zip`` fails.
        """
        if self.local_rank == 0:
            summary: dict[str, Any] = {"foreground_mean": {}, "mean": {}, "metric_per_case": []}
            write_json(Path(self.output_folder) / "validation" / "summary.json", summary)
        self.print_to_log_file("A pretraining predicts no cases; tune on it with -tr nnUNetTrainerPUNet.")
