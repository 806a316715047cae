"""The trainer that nnU-Net runs: ``nnUNetv2_train DATASET CONFIGURATION FOLD -tr nnUNetTrainerSLPT``.

Owns where SLPT hooks into nnU-Net; what is hooked in lives in ``networks``, ``losses`` and beside this file.
"""

__all__ = ["nnUNetTrainerSLPT"]

import random
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from nnunetv2.training.lr_scheduler.polylr import PolyLRScheduler
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
from torch import Tensor, nn

from nnunet_slpt.config import PLANS_KEY, PromptConfig
from nnunet_slpt.errors import CheckpointError
from nnunet_slpt.losses import diversity_loss, pairwise_cosine
from nnunet_slpt.networks import PromptedUNet, check_architecture
from nnunet_slpt.pretrained import read_checkpoint
from nnunet_slpt.trainers.gradients import take_step, unwrap
from nnunet_slpt.trainers.host import map_cuda_storages_to_cpu, requested_weights
from nnunet_slpt.trainers.objective import prompt_objective
from nnunet_slpt.trainers.prompt_file import save_prompts
from nnunet_slpt.trainers.start import (
    check_same_settings,
    checked_config,
    leaving_nothing_behind,
    start_from_pretrained,
)
from nnunet_slpt.trainers.training_cases import check_cases, check_folder, foreground_frequency
from nnunet_slpt.trainers.views import MultiViewTransform, view_pipelines
from nnunet_slpt.trainers.watch import RunWatch, disagreement, has_foreground

PROMPT_FILE = "prompts_final.safetensors"
WATCHED_BATCHES = 5  # validation batches on which the K predictions are compared


class nnUNetTrainerSLPT(nnUNetTrainer):
    """Tunes prompts inside a frozen, pretrained nnU-Net.

    Everything that can be set comes from ``plans["slpt"]``; see ``PromptConfig``. The pretrained checkpoint
    comes from ``-pretrained_weights`` or ``plans["slpt"]["pretrained_checkpoint"]``.

    References:
        SLPT (arXiv:2308.04911).
    """

    def __init__(
        self,
        plans: dict[str, Any],
        configuration: str,
        fold: int | str,
        dataset_json: dict[str, Any],
        device: torch.device = torch.device("cuda"),  # noqa: B008  # nnU-Net copies this very signature
    ) -> None:
        # Before nnU-Net makes its folders and log, so that a refusal leaves nothing behind.
        self.config = config = checked_config(plans, configuration, dataset_json)
        # The whole block goes into the plans beside the checkpoint: defaults may change, this model may not.
        super().__init__({**plans, PLANS_KEY: config.as_block()}, configuration, fold, dataset_json, device)
        self.initial_lr = config.learning_rate
        self.weight_decay = config.weight_decay
        self.num_epochs = config.epochs
        self.num_iterations_per_epoch = config.iterations_per_epoch
        self.num_val_iterations_per_epoch = config.validation_iterations_per_epoch
        self.has_weights = False
        self.prompt_losses: list[nn.Module] = []
        # A gradient scaler finds its scale by steps that it skips.
        self.watch = RunWatch(unusable_steps_to_warn=1 if self.grad_scaler is None else 20)
        self.disagreements: list[float] = []

    @staticmethod
    def build_network_architecture(
        plans_manager: PlansManager,
        configuration_manager: Any,
        num_input_channels: int,
        num_output_channels: int,
        enable_deep_supervision: bool = True,
    ) -> nn.Module:
        """The prompted network for these plans; nnU-Net's predictor calls this too."""
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
        network: PromptedUNet = unwrap(self.network)
        return network

    def initialize(self) -> None:
        """As nnU-Net; but when it is about to load ``-pretrained_weights``, only take note of the file.

        nnU-Net's loader wants every weight of the network in the file, which prompts cannot be. It is given a
        network without weights, and the real one is built when training starts.
        """
        requested = requested_weights()
        if requested is None:
            _seed(self.config.seed)
            # nnU-Net gives each rank of a distributed run a share of its own; the meta prompt has to be one.
            self.oversampling_of_all_ranks = self.oversample_foreground_percent
            super().initialize()
            return
        with self._leaving_nothing_behind():
            read_checkpoint(requested)
        map_cuda_storages_to_cpu()
        # nnU-Net writes these plans beside the model and into the checkpoints: they tell where it came from.
        self.config = replace(self.config, pretrained_checkpoint=str(requested), pretrained_sha256=None)
        self.plans_manager.plans[PLANS_KEY] = self.config.as_block()
        self.network = nn.Module()

    def load_checkpoint(self, filename_or_checkpoint: str) -> None:
        """As nnU-Net, if the settings are still the checkpoint's; it holds the frozen weights too."""
        with self._leaving_nothing_behind():
            check_same_settings(read_checkpoint(filename_or_checkpoint), self.config)
            try:
                super().load_checkpoint(filename_or_checkpoint)
            except (KeyError, RuntimeError, ValueError) as error:
                raise CheckpointError(
                    f"{filename_or_checkpoint} cannot be continued: {str(error).splitlines()[-1].strip()}. "
                    "Was it made by another network than the plans have now, or joined from a prompt file, "
                    "which serves inference alone? Restore its plans, or train anew without --c."
                ) from error
        self.has_weights = True

    def _leaving_nothing_behind(self) -> AbstractContextManager[None]:
        made = [self.output_folder, self.output_folder_base, Path(self.output_folder_base).parent]
        return leaving_nothing_behind(self.log_file, made if self.local_rank == 0 else [])

    def get_tr_and_val_datasets(self) -> tuple[Any, Any]:
        """As nnU-Net, after a look at the training cases; the meta prompt starts from their foreground."""
        available = self.dataset_class.get_identifiers(self.preprocessed_dataset_folder)
        check_folder(self.fold, Path(self.preprocessed_dataset_folder_base), available)
        training, validation = super().get_tr_and_val_datasets()
        check_cases(training, validation, available)
        if self.current_epoch == 0:
            self.prompted.prompts.start_from(
                foreground_frequency(
                    training,
                    self.configuration_manager.patch_size,
                    self.label_manager,
                    self.oversampling_of_all_ranks,
                    self.config.seed,
                )
            )
        return training, validation

    def get_training_transforms(self, *args: Any, **kwargs: Any) -> MultiViewTransform:
        """K views of each sample from K pipelines: (K, C, *S) where nnU-Net has (C, *S)."""
        stock = [nnUNetTrainer.get_training_transforms(*args, **kwargs) for _ in range(self.config.prompts)]
        return MultiViewTransform(view_pipelines(stock))

    def configure_optimizers(self) -> tuple[torch.optim.Optimizer, Any]:
        """An optimizer over the tuned weights alone, and nnU-Net's polynomial schedule."""
        options: dict[str, Any] = {"lr": self.initial_lr, "weight_decay": self.weight_decay}
        if self.config.optimizer == "SGD":
            options |= {"momentum": 0.99, "nesterov": True}
        optimizer = getattr(torch.optim, self.config.optimizer)(self._tuned_parameters(), **options)
        return optimizer, PolyLRScheduler(optimizer, self.initial_lr, self.num_epochs)

    def _tuned_parameters(self) -> list[nn.Parameter]:
        return [parameter for parameter in self.network.parameters() if parameter.requires_grad]

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
        """One optimizer step: the K prompts one after the other, each on its own view of the batch.

        The gradients add up, so memory does not grow with K.
        """
        views = batch["data"].to(self.device, non_blocking=True)
        targets = _levels(batch["target"])
        self.optimizer.zero_grad(set_to_none=True)
        losses = []
        with self._without_sync():
            # The K prompts are made once a step. All passes leave their gradients at these leaves.
            with self._autocast():
                prompts = self.prompted.prompts()
            leaves = prompts.detach().requires_grad_()
            self._backward(self.config.weight_diversity * diversity_loss(leaves))
            for k, loss in enumerate(self.prompt_losses):
                target = [level[:, k].to(self.device, non_blocking=True) for level in targets]
                with self._autocast():
                    output = self.network(views[:, k], prompt=k, prompts=leaves)
                    value = loss(output, target if self.enable_deep_supervision else target[0])
                self._backward(value)
                losses.append(value.detach())
            prompts.backward(leaves.grad)
        finite = take_step(self._tuned_parameters(), self.optimizer, self.grad_scaler, self.is_ddp)
        self._warn(self.watch.after_step(finite, has_foreground(targets[0], self.label_manager)))
        return {"loss": torch.stack(losses).mean().cpu().numpy()}

    def _without_sync(self) -> Any:
        network: Any = self.network
        return network.no_sync() if self.is_ddp else nullcontext()

    def _autocast(self) -> Any:
        # As nnU-Net: on CUDA alone.
        return torch.autocast("cuda") if self.device.type == "cuda" else nullcontext()

    def _backward(self, loss: Tensor) -> None:
        (loss if self.grad_scaler is None else self.grad_scaler.scale(loss)).backward()

    def on_train_start(self) -> None:
        """As nnU-Net, from the pretrained weights; every refusal comes before anything is written."""
        with self._leaving_nothing_behind():
            if not self.was_initialized:
                self.initialize()
            if not self.has_weights:
                start = start_from_pretrained(self.prompted, self.config, self.dataset_json["labels"])
                self.has_weights = True
                self.print_to_log_file(start)
            super().on_train_start()

    def on_epoch_start(self) -> None:
        """As nnU-Net; with a seed for each epoch, so that a continued run draws what it would have drawn."""
        _seed(self.config.seed, self.local_rank, self.current_epoch)
        super().on_epoch_start()

    def on_validation_epoch_start(self) -> None:
        """As nnU-Net."""
        super().on_validation_epoch_start()
        self.disagreements = []

    def validation_step(self, batch: dict[str, Any]) -> dict[str, Any]:
        """As nnU-Net, on the mean of the K predictions; compares these on the first batches."""
        if len(self.disagreements) < WATCHED_BATCHES:
            with self._autocast():
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
        self._warn(self.watch.after_epoch(cosines, apart))

    def on_train_end(self) -> None:
        """As nnU-Net; writes the tuned weights alone beside the whole checkpoint."""
        super().on_train_end()
        if self.local_rank == 0 and not self.disable_checkpointing:
            save_prompts(
                Path(self.output_folder) / PROMPT_FILE,
                self.prompted,
                plans=self.plans_manager.plans,
                dataset_json=self.dataset_json,
                configuration=self.configuration_name,
                trainer_name=type(self).__name__,
                mirroring_axes=self.inference_allowed_mirroring_axes,
                fold=self.fold,
            )

    def _warn(self, warning: str | None) -> None:
        if warning is not None:
            self.print_to_log_file(warning)


def _levels(target: Tensor | list[Tensor]) -> list[Tensor]:
    return target if isinstance(target, list) else [target]


def _seed(*numbers: int) -> None:
    """Start the generators of python, numpy and torch from what these numbers are together."""
    seed = int(np.random.SeedSequence(numbers).generate_state(1)[0])
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
