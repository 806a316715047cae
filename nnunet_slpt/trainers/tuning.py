"""What every trainer of this house shares: settings from the plans, a pretrained start, seeds, refusals.

Owns how a tuning hooks into nnU-Net, whatever is tuned. Must not import a trainer that stands on it.
"""

__all__ = ["TuningTrainer"]

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import torch
from nnunetv2.training.lr_scheduler.polylr import PolyLRScheduler
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
from torch import Tensor, nn

from nnunet_slpt.config import PLANS_KEY, REVISION, PromptConfig, TrainingConfig
from nnunet_slpt.errors import ArchitectureError, CheckpointError
from nnunet_slpt.files import remove_parts, written_whole
from nnunet_slpt.networks import check_architecture
from nnunet_slpt.pretrained import Pretrained, read_checkpoint
from nnunet_slpt.trainers.earlier import check_ended_training, check_other_folds, set_aside_predictions
from nnunet_slpt.trainers.gradients import take_step, unwrap
from nnunet_slpt.trainers.host import (
    keep_to_requested_threads,
    map_cuda_storages_to_cpu,
    requested_weights,
    seed,
)
from nnunet_slpt.trainers.running_dice import log_validation
from nnunet_slpt.trainers.start import (
    Recipe,
    Startable,
    check_same_settings,
    leaving_nothing_behind,
    start_from_pretrained,
)
from nnunet_slpt.trainers.training_cases import check_cases, hidden_labels, labels_left_out
from nnunet_slpt.trainers.training_folder import check_folder, check_preprocessed
from nnunet_slpt.trainers.watch import RunWatch


class TuningTrainer(nnUNetTrainer):
    """Tunes something of a pretrained nnU-Net; what, a subclass says.

    Length, seed and pretrained checkpoint come from ``plans["slpt"]``; see ``PromptConfig``. The optimizer
    comes from there too, and where the block has ``null``, from ``recipe``.
    """

    recipe: ClassVar[Recipe]
    settings: ClassVar[type[TrainingConfig]] = PromptConfig  # what can be set
    opening: ClassVar[str]  # of the line in the log that tells where the network started

    def __init__(
        self,
        plans: dict[str, Any],
        configuration: str,
        fold: int | str,
        dataset_json: dict[str, Any],
        device: torch.device = torch.device("cuda"),  # noqa: B008  # nnU-Net copies this very signature
    ) -> None:
        # Before nnU-Net makes its folders and log, so that a refusal leaves nothing behind.
        self.config = config = self.configure(plans, configuration, dataset_json)
        # The whole block goes into the plans beside the checkpoint: defaults may change, this model may not.
        super().__init__({**plans, PLANS_KEY: config.as_block()}, configuration, fold, dataset_json, device)
        self.initial_lr = config.learning_rate
        self.weight_decay = config.weight_decay
        self.num_epochs = config.epochs
        self.num_iterations_per_epoch = config.iterations_per_epoch
        self.num_val_iterations_per_epoch = config.validation_iterations_per_epoch
        self.continued: Pretrained | None = None
        # Of one sample nnU-Net would center none on foreground; so each is with the probability of the share.
        self.probabilistic_oversampling |= self.configuration_manager.batch_size == 1
        if self.device.type == "cpu":
            keep_to_requested_threads()

    @classmethod
    def configure(cls, plans: dict[str, Any], configuration: str, dataset_json: dict[str, Any]) -> Any:
        """What the plans' block says, complete; refuses plans that cannot be trained with."""
        manager = PlansManager(plans)
        chosen = manager.get_configuration(configuration)
        # Another network's plans have another block, too: that is not what is wrong with them.
        cls.check_network(chosen.network_arch_class_name)
        config = cls.settings.from_plans(plans)
        if chosen.previous_stage_name is not None:
            raise ArchitectureError(
                f"{configuration} is the second stage of a cascade, which is not tuned: its input has "
                "channels that no pretrained network knows. Use 3d_fullres, 3d_lowres or 2d."
            )
        regions = bool(manager.get_label_manager(dataset_json).has_regions)
        return replace(cls.recipe_for(config).fill(config), region_based=regions, revision=REVISION)

    @classmethod
    def recipe_for(cls, config: Any) -> Recipe:
        """The optimizer for what the plans leave open."""
        return cls.recipe

    @staticmethod
    def check_network(name: str) -> None:
        """Refuse a network that this trainer cannot tune.

        Raises:
            ArchitectureError: it is one.
        """
        check_architecture(name)

    def startable(self) -> Startable:
        """The network, without wrappers, as pretrained weights are loaded into it."""
        raise NotImplementedError

    def initialize(self) -> None:
        """As nnU-Net; but when it is about to load ``-pretrained_weights``, only take note of the file.

        nnU-Net's loader wants every weight of the network in the file, which what is added cannot be, and
        leaves heads out. It is given a network without weights, and the real one is built when training
        starts.
        """
        requested = requested_weights()
        if requested is None:
            with self._leaving_nothing_behind():
                check_preprocessed(Path(self.preprocessed_dataset_folder))
            seed(self.config.seed)
            # nnU-Net gives each rank of a distributed run a share of its own.
            self.oversampling_of_all_ranks = self.oversample_foreground_percent
            super().initialize()
            return
        with self._leaving_nothing_behind():
            read_checkpoint(requested)
        map_cuda_storages_to_cpu()
        self.note_pretrained(str(requested))
        self.network = nn.Module()

    def refuse_pretrained(self, instead: str) -> None:
        """For a training from random weights: forget what the plans recorded.

        Args:
            instead: what to do for whoever passes ``-pretrained_weights``.

        Raises:
            CheckpointError: somebody does.
        """
        if requested_weights() is not None:
            with self._leaving_nothing_behind():
                raise CheckpointError(
                    f"{type(self).__name__} starts from random weights and got -pretrained_weights. Leave "
                    f"them out. {instead}"
                )
        self.note_pretrained(None)

    def note_pretrained(self, checkpoint: str | None, sha256: str | None = None) -> None:
        """Record where training starts, overriding the plans.

        nnU-Net writes its plans beside the model and into the checkpoints: they tell where it came from.
        """
        self.config = replace(self.config, pretrained_checkpoint=checkpoint, pretrained_sha256=sha256)
        self.plans_manager.plans[PLANS_KEY] = self.config.as_block()

    def save_checkpoint(self, filename: str) -> None:
        """As nnU-Net; but a run that is killed meanwhile leaves the checkpoint that was there before."""
        if self.local_rank != 0 or self.disable_checkpointing:
            super().save_checkpoint(filename)  # which says that there is none
            return
        remove_parts(Path(filename))
        with written_whole(Path(filename)) as part:
            self.write_checkpoint(part)

    def write_checkpoint(self, part: Path) -> None:
        """Write what a checkpoint holds to a file that nobody reads before it is whole."""
        super().save_checkpoint(str(part))

    def load_checkpoint(self, filename_or_checkpoint: str) -> None:
        """As nnU-Net, if the settings are still the checkpoint's; it holds the frozen weights too."""
        with self._leaving_nothing_behind():
            checkpoint = read_checkpoint(filename_or_checkpoint)
            check_same_settings(checkpoint, self.config)
            try:
                super().load_checkpoint(filename_or_checkpoint)
            except (KeyError, RuntimeError, ValueError) as error:
                raise CheckpointError(
                    f"{filename_or_checkpoint} cannot be continued: {str(error).splitlines()[-1].strip()}. "
                    "Was it made by another network than the plans have now, or joined from a prompt file, "
                    "which serves inference alone? Restore its plans, or train anew, with neither "
                    "--c nor --val."
                ) from error
        self.continued = replace(checkpoint, weights={})
        origin = checkpoint.plans.get(PLANS_KEY, {})
        self.note_pretrained(origin.get("pretrained_checkpoint"), origin.get("pretrained_sha256"))

    def get_tr_and_val_datasets(self) -> tuple[Any, Any]:
        """As nnU-Net, after a look at the training cases."""
        available = self.dataset_class.get_identifiers(self.preprocessed_dataset_folder)
        home = Path(self.preprocessed_dataset_folder_base)
        check_folder(self.fold, home, available)
        left_out = labels_left_out(home, available, self.dataset_json["file_ending"])
        self.warn(left_out, hidden_labels(self.fold, home))
        training, validation = super().get_tr_and_val_datasets()
        self.check_training_cases(training, validation, available)
        return training, validation

    def check_training_cases(self, training: Any, validation: Any, available: Any) -> None:
        """Refuse cases from which nothing can be learned, by the names of those that are preprocessed."""
        check_cases(training, validation, available)

    def configure_rotation_dummyDA_mirroring_and_inital_patch_size(self) -> Any:  # noqa: N802  nnU-Net's
        """As nnU-Net; but mirrored along what the plans' block allows, in training and prediction."""
        *others, axes = super().configure_rotation_dummyDA_mirroring_and_inital_patch_size()
        if self.config.mirror_axes is not None:
            axes = tuple(axis for axis in axes if axis in self.config.mirror_axes) or None
            self.inference_allowed_mirroring_axes = axes
        return *others, axes

    def configure_optimizers(self) -> tuple[torch.optim.Optimizer, Any]:
        """An optimizer over the tuned weights alone, and nnU-Net's polynomial schedule."""
        options: dict[str, Any] = {"lr": self.initial_lr, "weight_decay": self.weight_decay}
        if self.config.optimizer == "SGD":
            options |= {"momentum": 0.99, "nesterov": True}
        optimizer = getattr(torch.optim, str(self.config.optimizer))(self.tuned_parameters(), **options)
        return optimizer, PolyLRScheduler(optimizer, self.initial_lr, self.num_epochs)

    def tuned_parameters(self) -> list[nn.Parameter]:
        """Those that the optimizer changes."""
        return [parameter for parameter in self.network.parameters() if parameter.requires_grad]

    def on_train_start(self) -> None:
        """As nnU-Net, from the pretrained weights; every refusal comes before anything is written."""
        with self._leaving_nothing_behind():
            plans, folder = self.plans_manager.plans, Path(self.output_folder)
            check_ended_training(self.continued)
            check_other_folds(folder, self.configuration_name, self.config, plans, self.dataset_json)
            if not self.was_initialized:
                self.initialize()
            if self.continued is None:
                self.print_to_log_file(f"{self.opening} {self._start()}")
            super().on_train_start()
        if self.current_epoch >= self.num_epochs:
            self.print_to_log_file(
                "WARNING: this training has ended already, so nothing is trained. To learn from labels that "
                "came since, start without --c; to train for longer, raise epochs."
            )

    def on_validation_epoch_end(self, val_outputs: list[dict[str, Any]]) -> None:
        """As nnU-Net, also where no validation case has foreground."""
        log_validation(self, val_outputs)

    def perform_actual_validation(self, save_probabilities: bool = False) -> None:
        """As nnU-Net, of this fold's cases alone: it would score what earlier trainings predicted as well."""
        if self.local_rank == 0:
            folder, cases = Path(self.output_folder) / "validation", self.do_split()[1]
            self.warn(set_aside_predictions(folder, cases, self.dataset_json["file_ending"]))
        super().perform_actual_validation(save_probabilities)

    def _start(self) -> str:
        """Give the network its first weights, and say which."""
        return start_from_pretrained(self.startable(), self.config, self.dataset_json["labels"])

    def on_epoch_start(self) -> None:
        """As nnU-Net; with a seed for each epoch, so that a continued run draws what it would have drawn."""
        seed(self.config.seed, self.local_rank, self.current_epoch)
        super().on_epoch_start()

    @property
    def bare_network(self) -> Any:
        """The network without the wrappers of torch.compile and DistributedDataParallel."""
        return unwrap(self.network)

    def without_sync(self) -> AbstractContextManager[Any]:
        """Several backward passes make one step: the gradients are averaged over ranks at its end."""
        network: Any = self.network
        return network.no_sync() if self.is_ddp else nullcontext()

    def autocast(self) -> AbstractContextManager[Any]:
        """As nnU-Net: on CUDA alone."""
        return torch.autocast("cuda") if self.device.type == "cuda" else nullcontext()

    def backward(self, loss: Tensor) -> None:
        """Add a loss's gradients, scaled if there is a gradient scaler."""
        (loss if self.grad_scaler is None else self.grad_scaler.scale(loss)).backward()

    @cached_property
    def watch(self) -> RunWatch:
        """What the steps of this run are watched for. A gradient scaler finds its scale by skipping some."""
        return RunWatch(unusable_steps_to_warn=1 if self.grad_scaler is None else 20)

    def take_step(self, has_foreground: bool) -> None:
        """Use the gradients; warn of steps that could not be used, or that saw nothing."""
        finite = take_step(self.tuned_parameters(), self.optimizer, self.grad_scaler, self.is_ddp)
        self.warn(*self.watch.after_step(finite, has_foreground))

    def warn(self, *warnings: str | None) -> None:
        """Put warnings into the log, where there are any."""
        for warning in filter(None, warnings):
            self.print_to_log_file(warning)

    def _leaving_nothing_behind(self) -> AbstractContextManager[None]:
        made = [self.output_folder, self.output_folder_base, Path(self.output_folder_base).parent]
        return leaving_nothing_behind(self.log_file, made if self.local_rank == 0 else [])
