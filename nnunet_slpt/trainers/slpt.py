"""The trainer that nnU-Net runs: ``nnUNetv2_train DATASET CONFIGURATION FOLD -tr nnUNetTrainerSLPT``.

Owns where SLPT hooks into nnU-Net; what is hooked in lives in ``networks``, ``losses`` and beside this file.
"""

__all__ = ["nnUNetTrainerSLPT"]

from pathlib import Path
from typing import Any

import numpy as np
import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
from torch import Tensor, nn

from nnunet_slpt.config import PromptConfig, check_revision
from nnunet_slpt.losses import diversity_loss, pairwise_cosine
from nnunet_slpt.networks import PromptedUNet, check_architecture
from nnunet_slpt.trainers.objective import prompt_objective
from nnunet_slpt.trainers.prompt_file import save_prompts
from nnunet_slpt.trainers.start import FEW_WEIGHTS
from nnunet_slpt.trainers.training_cases import foreground_frequency
from nnunet_slpt.trainers.tuning import TuningTrainer
from nnunet_slpt.trainers.views import MultiViewTransform, view_pipelines
from nnunet_slpt.trainers.watch import disagreement, has_foreground

PROMPTS_FINAL = "prompts_final.safetensors"
WATCHED_BATCHES = 5  # validation batches on which the K predictions are compared


class nnUNetTrainerSLPT(TuningTrainer):
    """Tunes prompts inside a frozen, pretrained nnU-Net.

    Everything that can be set comes from ``plans["slpt"]``; see ``PromptConfig``. The pretrained checkpoint
    comes from ``-pretrained_weights`` or ``plans["slpt"]["pretrained_checkpoint"]``.

    References:
        SLPT (arXiv:2308.04911).
    """

    recipe = FEW_WEIGHTS
    opening = "Prompts inside"

    def __init__(
        self,
        plans: dict[str, Any],
        configuration: str,
        fold: int | str,
        dataset_json: dict[str, Any],
        device: torch.device = torch.device("cuda"),  # noqa: B008  # nnU-Net copies this very signature
    ) -> None:
        super().__init__(plans, configuration, fold, dataset_json, device)
        self.prompt_losses: list[nn.Module] = []
        self.disagreements: list[float] = []
        self.steps = 0  # since the first epoch

    @staticmethod
    def build_network_architecture(
        plans_manager: PlansManager,
        configuration_manager: Any,
        num_input_channels: int,
        num_output_channels: int,
        enable_deep_supervision: bool = True,
    ) -> nn.Module:
        """The prompted network for these plans; nnU-Net's predictor calls this too."""
        check_revision(plans_manager.plans)
        config = PromptConfig.from_plans(plans_manager.plans)
        check_architecture(configuration_manager.network_arch_class_name)
        backbone = nnUNetTrainer.build_network_architecture(
            plans_manager,
            configuration_manager,
            num_input_channels,
            num_output_channels,
            enable_deep_supervision,
        )
        patch_size = configuration_manager.patch_size
        return PromptedUNet(backbone, patch_size, num_output_channels, config, enable_deep_supervision)

    @property
    def prompted(self) -> PromptedUNet:
        """The network without the wrappers of torch.compile and DistributedDataParallel."""
        network: PromptedUNet = self.bare_network
        return network

    def startable(self) -> PromptedUNet:
        """The prompted network: all but what is tuned gets pretrained weights."""
        return self.prompted

    def initialize(self) -> None:
        """As every training; on several GPUs nnU-Net replaces the batch normalisations of a built network."""
        super().initialize()
        if self.was_initialized:
            self.prompted.follow_normalisations()
            if self.is_ddp:
                # Its constructor has sent the buffers round, and no pass changes them. The first pass would
                # do so again, in inference too, where a rank without a case to validate takes no part.
                network: Any = self.network
                network.require_forward_param_sync = False

    def get_tr_and_val_datasets(self) -> tuple[Any, Any]:
        """As nnU-Net, after a look at the training cases; the meta prompt starts from their foreground."""
        training, validation = super().get_tr_and_val_datasets()
        if self.current_epoch == 0:
            self._start_meta_prompt(training)
        return training, validation

    def _start_meta_prompt(self, training: Any) -> None:
        if not self.config.foreground_start:
            self.prompted.prompts.start_from_noise(self.config.seed)
            return
        self.prompted.prompts.start_from(
            foreground_frequency(
                training,
                self.configuration_manager.patch_size,
                self.label_manager,
                # That of all ranks together: the meta prompt has to be one.
                self.oversampling_of_all_ranks,
                self.config.seed,
            )
        )

    def get_training_transforms(self, *args: Any, **kwargs: Any) -> MultiViewTransform:
        """K views of each sample from K pipelines: (K, C, *S) where nnU-Net has (C, *S); or one for all."""
        views = self.config.prompts if self.config.views else 1
        stock = [nnUNetTrainer.get_training_transforms(*args, **kwargs) for _ in range(views)]
        return MultiViewTransform(view_pipelines(stock))

    def _build_loss(self) -> nn.Module:
        """One loss a prompt for training; the neutral one (Dice and cross-entropy) for validation."""
        self.prompt_losses = [self._objective(self.config.tversky_of(k)) for k in range(self.config.prompts)]
        return self._objective((0.5, 0.5))

    def _objective(self, pair: tuple[float, float]) -> nn.Module:
        return prompt_objective(
            pair,
            self.config,
            self.label_manager,
            batch_dice=self.configuration_manager.batch_dice,
            gather=self.is_ddp,
            outputs=len(self._get_deep_supervision_scales() or []),
        )

    def train_step(self, batch: dict[str, Any]) -> dict[str, Any]:
        """One optimizer step: the prompts one after the other, each on its own view of the batch.

        Descends L = Σ_k [λ1 Tversky + λ2 CE] + λ3 L_div, whose parts are in ``losses``; where only n prompts
        take part, L_div counts n / K. The gradients add up, so memory does not grow with K.

        References:
            SLPT (arXiv:2308.04911), section 2.2: the total loss.
        """
        chosen = self.config.prompts_of_step(self.steps)
        self.steps += 1
        views = batch["data"].to(self.device, non_blocking=True)
        targets = [level.to(self.device, non_blocking=True) for level in _levels(batch["target"])]
        self.optimizer.zero_grad(set_to_none=True)
        losses = []
        with self.without_sync():
            # The K prompts are made once a step. All passes leave their gradients at these leaves.
            with self.autocast():
                prompts = self.prompted.prompts()
            leaves = prompts.detach().requires_grad_()
            share = len(chosen) / self.config.prompts  # of the data terms that one step of all would have
            self.backward(share * self.config.weight_diversity * diversity_loss(leaves))
            for k in chosen:
                view = k % views.shape[1]  # there may be one for all prompts
                target = [level[:, view] for level in targets]
                with self.autocast():
                    # Laid out as any batch: to torch.compile other strides are another graph.
                    output = self.network(views[:, view].contiguous(), prompt=k, prompts=leaves)
                    value = self.prompt_losses[k](
                        output, target if self.enable_deep_supervision else target[0]
                    )
                self.backward(value)
                losses.append(value.detach())
            prompts.backward(leaves.grad)
        self.take_step(has_foreground(targets[0], self.label_manager))
        return {"loss": torch.stack(losses).mean().cpu().numpy()}

    def on_validation_epoch_start(self) -> None:
        """As nnU-Net."""
        super().on_validation_epoch_start()
        self.disagreements = []

    def validation_step(self, batch: dict[str, Any]) -> dict[str, Any]:
        """As nnU-Net, on the mean of the K predictions; compares these on the first batches."""
        if len(self.disagreements) < WATCHED_BATCHES:
            with self.autocast():
                logits = self.prompted.predict_prompts(batch["data"].to(self.device, non_blocking=True))
            self.disagreements.append(disagreement(logits, self.label_manager.has_regions))
        result: dict[str, Any] = super().validation_step(batch)
        return result

    def on_validation_epoch_end(self, val_outputs: list[dict[str, Any]]) -> None:
        """As nnU-Net; logs how different prompts and predictions are, and warns if the prompts collapse."""
        super().on_validation_epoch_end(val_outputs)
        cosines = pairwise_cosine(self.prompted.prompts()).cpu()
        apart = float(np.mean(self.disagreements))
        pairs = [round(float(cosines[i, j]), 3) for i in range(len(cosines)) for j in range(i)]
        self.print_to_log_file(
            f"Cosines of the prompts {pairs}, disagreement of their predictions {apart:.4f}"
        )
        self.warn(self.watch.after_epoch(cosines, apart))

    def on_train_end(self) -> None:
        """As nnU-Net; writes the tuned weights alone beside the whole checkpoint."""
        super().on_train_end()
        if self.local_rank == 0 and not self.disable_checkpointing:
            save_prompts(
                Path(self.output_folder) / PROMPTS_FINAL,
                self.prompted,
                plans=self.plans_manager.plans,
                dataset_json=self.dataset_json,
                configuration=self.configuration_name,
                trainer_name=type(self).__name__,
                mirroring_axes=self.inference_allowed_mirroring_axes,
                fold=self.fold,
            )

    def on_epoch_start(self) -> None:
        """As nnU-Net; whose turn it is follows from the epoch, in a continued run too."""
        super().on_epoch_start()
        self.steps = self.current_epoch * self.num_iterations_per_epoch


def _levels(target: Tensor | list[Tensor]) -> list[Tensor]:
    return target if isinstance(target, list) else [target]
