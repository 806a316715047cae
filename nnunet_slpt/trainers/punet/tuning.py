"""The trainer that nnU-Net runs: ``nnUNetv2_train … -tr nnUNetTrainerPUNet``.

Owns how tokens of new classes are tuned in a frozen body, and what is tuned instead for comparison.
"""

__all__ = ["nnUNetTrainerPUNet"]

from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from nnunetv2.training.loss.compound_losses import DC_and_BCE_loss
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
from torch import Tensor, nn

from nnunet_slpt.config import PUNetConfig, check_revision
from nnunet_slpt.networks.punet import LabelPUNet
from nnunet_slpt.trainers.punet.token_file import save_tokens
from nnunet_slpt.trainers.punet.training import PUNetTrainer
from nnunet_slpt.trainers.start import FEW_WEIGHTS, MANY_WEIGHTS, Recipe, load_pretrained

TOKENS_FINAL = "tokens_final.safetensors"
TOKENS = Recipe("AdamW", learning_rate=3e-2, weight_decay=0.0)
RECIPES = {"tokens": TOKENS, "head": TOKENS, "decoder": MANY_WEIGHTS, "full": MANY_WEIGHTS}


class nnUNetTrainerPUNet(PUNetTrainer):
    """Tunes the tokens of the dataset's classes inside a frozen, pretrained PUNet.

    Everything that can be set comes from ``plans["slpt"]``; see ``PUNetConfig``. Each class is trained by
    itself, against everything else: none knows of the others, unless ``jointly``.

    References:
        PUNet (arXiv:2211.09233).
    """

    opening = "Tuned:"
    settings = PUNetConfig

    @classmethod
    def recipe_for(cls, config: PUNetConfig) -> Recipe:
        """As it was pretrained, where much of the body is tuned; tokens alone take larger steps."""
        return RECIPES.get(config.tuned, FEW_WEIGHTS)

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
        config = PUNetConfig.from_plans(plans_manager.plans)
        measures = PUNetTrainer.measures(configuration_manager, num_input_channels)
        if not config.tokens_inside:
            measures["prompted"] = "none"
        network = LabelPUNet(config.classes, not config.region_based, config.jointly, **measures)
        network.choose_tuned(config.tuned)
        return network

    def _start(self) -> str:
        pretrained, which = load_pretrained(self.punet, self.config)
        known = [name for name in self.classes.names if self.punet.start_class(name, pretrained.weights)]
        return (
            f"{self.config.tuned}, inside {which}: {self.punet.parameter_summary()}. {len(known)} of "
            f"{len(self.classes.names)} classes start from the pretrained tokens."
        )

    @cached_property
    def class_loss(self) -> nn.Module:
        """nnU-Net's loss for regions, on one class against the rest."""
        loss: nn.Module = DC_and_BCE_loss(
            {},
            {
                "batch_dice": self.configuration_manager.batch_dice,
                "do_bg": True,
                "smooth": 1e-5,
                "ddp": self.is_ddp,
            },
            use_ignore_label=True,
        )
        return loss

    def train_step(self, batch: dict[str, Any]) -> dict[str, Any]:
        """One optimizer step: the classes one after the other, so that memory does not grow with them."""
        data = batch["data"].to(self.device, non_blocking=True)
        label_map = batch["target"].to(self.device, non_blocking=True)
        self.optimizer.zero_grad(set_to_none=True)
        losses: list[Tensor] = []
        seen: list[Tensor] = []
        with self.without_sync():
            for names in self.punet.groups:
                target = self.classes.target(label_map, names)
                with self.autocast():
                    logits = self.network(data, names)
                    # Class by class: together, Dice would be their mean and cross-entropy their sum.
                    values = [
                        self.class_loss(logits[:, [one]], target[:, [one, -1]]) for one in range(len(names))
                    ]
                    value = torch.stack(values).sum()
                self.backward(value)
                losses.extend(one.detach() for one in values)
                seen.append(target[:, :-1].any())
        self.take_step(has_foreground=bool(torch.stack(seen).any()))
        return {"loss": torch.stack(losses).mean().cpu().numpy()}

    def on_train_end(self) -> None:
        """As nnU-Net; writes the tokens alone beside the whole checkpoint."""
        super().on_train_end()
        if self.local_rank == 0 and not self.disable_checkpointing and self.config.tuned == "tokens":
            save_tokens(Path(self.output_folder) / TOKENS_FINAL, self.punet)
