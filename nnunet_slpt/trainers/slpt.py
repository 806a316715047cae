"""The trainer that nnU-Net runs: ``nnUNetv2_train DATASET CONFIGURATION FOLD -tr nnUNetTrainerSLPT``.

Owns where SLPT hooks into nnU-Net; what is hooked in lives in ``networks``, ``losses`` and beside this file.
"""

__all__ = ["nnUNetTrainerSLPT"]

import random
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from nnunetv2.training.loss.deep_supervision import DeepSupervisionWrapper
from nnunetv2.training.lr_scheduler.polylr import PolyLRScheduler
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
from torch import Tensor, nn

from nnunet_slpt.config import PLANS_KEY, PromptConfig
from nnunet_slpt.errors import ArchitectureError, CheckpointError, SLPTError
from nnunet_slpt.losses import PromptLoss, diversity_loss, pairwise_cosine
from nnunet_slpt.networks import PromptedUNet, check_architecture
from nnunet_slpt.pretrained import (
    Pretrained,
    base_hash,
    head_rows,
    load_backbone,
    pretrained_heads,
    read_checkpoint,
)
from nnunet_slpt.trainers.gradients import average_gradients, unwrap
from nnunet_slpt.trainers.host import map_cuda_storages_to_cpu, requested_weights
from nnunet_slpt.trainers.training_cases import check_training_cases, foreground_frequency
from nnunet_slpt.trainers.views import MultiViewTransform, view_pipelines
from nnunet_slpt.trainers.watch import RunWatch, disagreement

PROMPT_FILE = "prompts_final.safetensors"
GRADIENT_NORM = 12  # as nnU-Net
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
        self.config = config = _checked_config(plans, configuration, dataset_json)
        # The whole block goes into the plans beside the checkpoint: defaults may change, this model may not.
        super().__init__({**plans, PLANS_KEY: config.as_block()}, configuration, fold, dataset_json, device)
        self.initial_lr = config.learning_rate
        self.weight_decay = config.weight_decay
        self.num_epochs = config.epochs
        self.num_iterations_per_epoch = config.iterations_per_epoch
        self.num_val_iterations_per_epoch = config.validation_iterations_per_epoch
        self.pretrained_file = config.pretrained_checkpoint
        self.has_weights = False
        self.prompt_losses: list[nn.Module] = []
        self.watch = RunWatch()
        self.disagreements: list[float] = []

    # ------------------------------------------------------------------ network and weights

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
            plans_manager, configuration_manager, num_input_channels, num_output_channels, enable_deep_supervision
        )
        patch_size = configuration_manager.patch_size
        return PromptedUNet(backbone, patch_size, num_output_channels, config, enable_deep_supervision)

    @property
    def prompted(self) -> PromptedUNet:
        """The network without the wrappers of torch.compile and DistributedDataParallel."""
        return unwrap(self.network)

    def initialize(self) -> None:
        """As nnU-Net; but when it is about to load ``-pretrained_weights``, only take note of the file.

        nnU-Net's loader wants every weight of the network in the file, which prompts cannot be. It is given a
        network without weights, and the real one is built when training starts.
        """
        requested = requested_weights()
        if requested is None:
            _seed(self.config.seed)
            super().initialize()
            return
        with self._leaving_nothing_behind():
            read_checkpoint(requested)
        map_cuda_storages_to_cpu()
        self.pretrained_file = str(requested)
        self.network = nn.Module()

    def load_checkpoint(self, filename_or_checkpoint: str) -> None:
        """As nnU-Net; a checkpoint holds the frozen weights too."""
        try:
            super().load_checkpoint(filename_or_checkpoint)
        except RuntimeError as error:
            raise CheckpointError(
                f"{filename_or_checkpoint} was made with another network or other settings in "
                f'plans["{PLANS_KEY}"] than the plans have now: {str(error).splitlines()[-1].strip()} '
                "Restore the plans it was trained with, or train anew without --c."
            ) from error
        self.has_weights = True

    def _start_from_pretrained(self) -> None:
        if self.pretrained_file is None:
            raise CheckpointError(
                "nnUNetTrainerSLPT tunes prompts inside a pretrained network and got none. Pass its checkpoint: "
                "nnUNetv2_train ... -tr nnUNetTrainerSLPT -pretrained_weights .../fold_X/checkpoint_final.pth"
            )
        pretrained = read_checkpoint(self.pretrained_file)
        load_backbone(self.prompted, pretrained)
        rows = head_rows(pretrained.labels, self.dataset_json["labels"])
        for stage, (weight, bias) in enumerate(pretrained_heads(pretrained)):
            self.prompted.heads.start_from(stage, weight, bias, rows)
        self.has_weights = True
        self._log_start(pretrained, rows)

    def _log_start(self, pretrained: Pretrained, rows: dict[int, int]) -> None:
        frozen, tuned = self.prompted.frozen_state(), self.prompted.tuned_state()
        counts = [sum(tensor.numel() for tensor in state.values()) for state in (frozen, tuned)]
        self.print_to_log_file(
            f"Prompts inside {pretrained.path} (sha256 of the frozen weights {base_hash(frozen)[:12]}…): "
            f"{counts[0]:,} frozen and {counts[1]:,} tuned parameters, {100 * counts[1] / counts[0]:.2f} %. "
            f"{len(rows)} of {self.label_manager.num_segmentation_heads} outputs start from the pretrained head."
        )

    @contextmanager
    def _leaving_nothing_behind(self) -> Iterator[None]:
        """Take back the log and the folders that nnU-Net's __init__ made, if the run is refused."""
        try:
            yield
        except SLPTError:
            if self.local_rank == 0:
                Path(self.log_file).unlink(missing_ok=True)
                for folder in (self.output_folder, self.output_folder_base, Path(self.output_folder_base).parent):
                    if not any(Path(folder).iterdir()):
                        Path(folder).rmdir()
            raise

    # ------------------------------------------------------------------ data

    def get_tr_and_val_datasets(self) -> tuple[Any, Any]:
        """As nnU-Net, after a look at the training cases; the meta prompt starts from their foreground."""
        training, validation = super().get_tr_and_val_datasets()
        check_training_cases(training, self.dataset_class.get_identifiers(self.preprocessed_dataset_folder))
        if self.current_epoch == 0:
            self.prompted.prompts.start_from(
                foreground_frequency(
                    training,
                    self.configuration_manager.patch_size,
                    self.label_manager,
                    self.oversample_foreground_percent,
                    self.config.seed,
                )
            )
        return training, validation

    def get_training_transforms(self, *args: Any, **kwargs: Any) -> MultiViewTransform:
        """K views of each sample, from K pipelines that differ in kind: (K, C, *S) where nnU-Net has (C, *S)."""
        stock = [nnUNetTrainer.get_training_transforms(*args, **kwargs) for _ in range(self.config.prompts)]
        return MultiViewTransform(view_pipelines(stock))

    # ------------------------------------------------------------------ optimisation

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
        pairs = [self.config.tversky_of(k) for k in range(self.config.prompts)]
        self.prompt_losses = [self._loss_of(alpha, beta) for alpha, beta in pairs]
        return self._loss_of(0.5, 0.5)

    def _loss_of(self, alpha: float, beta: float) -> nn.Module:
        loss: nn.Module = PromptLoss(
            alpha,
            beta,
            weight_tversky=self.config.weight_tversky,
            weight_cross_entropy=self.config.weight_cross_entropy,
            regions=self.label_manager.has_regions,
            ignore_label=self.label_manager.ignore_label,
            batch_dice=self.configuration_manager.batch_dice,
            gather=self.is_ddp,
        )
        if not self.enable_deep_supervision:
            return loss
        # nnU-Net's weights (nnUNetTrainer._build_loss): halved from stage to stage, nothing for the coarsest.
        weights = np.array([0.5**i for i in range(len(self._get_deep_supervision_scales()))])
        weights[-1] = 0 if len(weights) > 1 else 1
        wrapped: nn.Module = DeepSupervisionWrapper(loss, weights / weights.sum())
        return wrapped

    def train_step(self, batch: dict[str, Any]) -> dict[str, Any]:
        """One optimizer step: the K prompts one after the other, each on its own view of the batch.

        The gradients add up, so memory does not grow with K.
        """
        views = batch["data"].to(self.device, non_blocking=True)
        targets = _levels(batch["target"])
        self.optimizer.zero_grad(set_to_none=True)
        losses = []
        with self.network.no_sync() if self.is_ddp else nullcontext():
            if self.config.weight_diversity:
                self._backward(self.config.weight_diversity * diversity_loss(self.prompted.prompts()))
            for k, loss in enumerate(self.prompt_losses):
                target = [level[:, k].to(self.device, non_blocking=True) for level in targets]
                with self._autocast():
                    output = self.network(views[:, k], prompt=k)
                    value = loss(output, target if self.enable_deep_supervision else target[0])
                self._backward(value)
                losses.append(value.detach())
        finite = self._step()
        has_foreground = any(bool((level > 0).any()) for level in targets[:1])
        self._warn(self.watch.after_step(finite, has_foreground))
        return {"loss": torch.stack(losses).mean().cpu().numpy()}

    def _autocast(self) -> Any:
        # As nnU-Net: on CUDA alone.
        return torch.autocast("cuda") if self.device.type == "cuda" else nullcontext()

    def _backward(self, loss: Tensor) -> None:
        (loss if self.grad_scaler is None else self.grad_scaler.scale(loss)).backward()

    def _step(self) -> bool:
        """Use the gradients, unless they are not finite; returns whether they were."""
        tuned = self._tuned_parameters()
        if self.is_ddp:
            average_gradients(tuned)
        if self.grad_scaler is not None:
            self.grad_scaler.unscale_(self.optimizer)
        finite = bool(torch.isfinite(nn.utils.clip_grad_norm_(tuned, GRADIENT_NORM)))
        if self.grad_scaler is not None:
            self.grad_scaler.step(self.optimizer)  # which skips a step that is not finite, and lowers the scale
            self.grad_scaler.update()
            return True
        if finite:
            self.optimizer.step()
        return finite

    # ------------------------------------------------------------------ the course of a run

    def on_train_start(self) -> None:
        """As nnU-Net, from the pretrained weights; every refusal comes before anything is written."""
        with self._leaving_nothing_behind():
            if not self.was_initialized:
                self.initialize()
            if not self.has_weights:
                self._start_from_pretrained()
            super().on_train_start()

    def on_epoch_start(self) -> None:
        """As nnU-Net; each epoch has a seed of its own, so that a continued run draws what it would have drawn."""
        _seed(self.config.seed + 1000 * self.local_rank + self.current_epoch + 1)
        super().on_epoch_start()

    def on_validation_epoch_start(self) -> None:
        """As nnU-Net."""
        super().on_validation_epoch_start()
        self.disagreements = []

    def validation_step(self, batch: dict[str, Any]) -> dict[str, Any]:
        """As nnU-Net, on the mean of the K predictions; the first batches also tell how far these lie apart."""
        if len(self.disagreements) < WATCHED_BATCHES:
            with self._autocast():
                logits = self.prompted.predict_prompts(batch["data"].to(self.device, non_blocking=True))
            self.disagreements.append(disagreement(logits, self.label_manager.has_regions))
        result: dict[str, Any] = super().validation_step(batch)
        return result

    def on_validation_epoch_end(self, val_outputs: list[dict[str, Any]]) -> None:
        """As nnU-Net; logs how different the prompts and their predictions are, and warns if they collapse."""
        super().on_validation_epoch_end(val_outputs)
        cosines = pairwise_cosine(self.prompted.prompts()).cpu()
        apart = float(np.mean(self.disagreements))
        pairs = [round(float(cosines[i, j]), 3) for i in range(len(cosines)) for j in range(i)]
        self.print_to_log_file(f"Cosines of the prompts {pairs}, disagreement of their predictions {apart:.4f}")
        self._warn(self.watch.after_epoch(cosines, apart))

    def _warn(self, warning: str | None) -> None:
        if warning is not None:
            self.print_to_log_file(warning)


def _checked_config(plans: dict[str, Any], configuration: str, dataset_json: dict[str, Any]) -> PromptConfig:
    """The prompt configuration, if these plans can be prompted.

    Raises:
        ConfigError: the ``slpt`` block is wrong.
        ArchitectureError: a cascade, or a network without a place for prompts.
    """
    config = PromptConfig.from_plans(plans)
    manager = PlansManager(plans)
    settings = manager.get_configuration(configuration)
    if settings.previous_stage_name is not None:
        raise ArchitectureError(
            f"{configuration} is the second stage of a cascade, which nnUNetTrainerSLPT does not tune: its input has "
            "channels that no pretrained network knows. Use 3d_fullres, 3d_lowres or 2d."
        )
    check_architecture(settings.network_arch_class_name)
    regions = bool(manager.get_label_manager(dataset_json).has_regions)
    return PromptConfig(**{**vars(config), "region_based": regions})


def _levels(target: Tensor | list[Tensor]) -> list[Tensor]:
    return target if isinstance(target, list) else [target]


def _seed(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
