"""From a request to finished plans that nobody has written yet: *model + dataset → findings → plans*.

Owns the order of steps: what names and numbers can refuse is refused before an image is read, and nothing is
written at all.
"""

__all__ = [
    "AnyDraft",
    "Draft",
    "Request",
    "draft_plans",
    "findings_of_name",
    "new_plans",
    "refuse_replacing",
    "settings_for",
]

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nnunet_slpt.config import PLANS_KEY, TrainingConfig
from nnunet_slpt.errors import PlanningError
from nnunet_slpt.label_outputs import has_regions
from nnunet_slpt.planners.comparison import Comparison, Finding, findings_of, refuse
from nnunet_slpt.planners.findings import AT_FIRST, OF_IMAGES
from nnunet_slpt.planners.fit import frozen_hash
from nnunet_slpt.planners.old_plans import in_todays_format
from nnunet_slpt.planners.target import Target
from nnunet_slpt.planners.transfer import Wishes, patch_size_for, transfer
from nnunet_slpt.planners.tunings import check_windows
from nnunet_slpt.pretrained import Model, read_model

PLANS_NAME = "nnUNetSLPTPlans"
UNPACKED = "slpt_pretrained"  # beside the plans: checkpoints that came in a zip


@dataclass(frozen=True, kw_only=True)
class Request:
    """One call of ``nnunet_slpt_plan``.

    Args:
        dataset: name or number, as nnU-Net's ``-d``.
        model: folder or zip of the pretrained model.
        configuration: of the model; ``None`` takes what there is.
        fold: of the model; ``None`` prefers ``all``, then the lowest.
        checkpoint: file name inside a fold's folder; ``None`` prefers the final one.
        plans_name: of the new plans.
        wishes: another patch or batch size.
        epochs: of the tuning; ``None`` takes the default.
        prompts: K; ``None`` takes the default. A PUNet has none.
        stem: ``repeat`` or ``average`` the first layer's weights for another number of channels.
        overwrite: replace plans of this name; they are kept beside.
        processes: that read images.
    """

    dataset: str
    model: Path
    configuration: str | None = None
    fold: str | None = None
    checkpoint: str | None = None
    plans_name: str = PLANS_NAME
    wishes: Wishes = field(default_factory=Wishes)
    epochs: int | None = None
    prompts: int | None = None
    stem: str | None = None
    overwrite: bool = False
    processes: int = 8


@dataclass(frozen=True, eq=False)
class AnyDraft:
    """Plans for a dataset that can be written.

    Args:
        target: the dataset.
        plans: all of them.
        findings: what the user should know.
    """

    target: Target
    plans: dict[str, Any]
    findings: tuple[Finding, ...]

    @property
    def plans_file(self) -> Path:
        """Where nnU-Net looks for these plans."""
        return self.target.preprocessed / f"{self.plans['plans_name']}.json"

    @property
    def report_file(self) -> Path:
        """Where the report goes."""
        return self.plans_file.with_name(f"{self.plans['plans_name']}_report.json")


@dataclass(frozen=True, eq=False)
class Draft(AnyDraft):
    """Plans to tune a pretrained model.

    Args:
        request: what was asked for.
        model: the pretrained model.
    """

    request: Request
    model: Model

    @property
    def checkpoint(self) -> Path:
        """The file that the training will read."""
        return Path(self.plans[PLANS_KEY]["pretrained_checkpoint"])

    @property
    def settings(self) -> dict[str, Any]:
        """The one configuration."""
        settings: dict[str, Any] = self.plans["configurations"][self.model.configuration]
        return settings


def draft_plans(request: Request) -> Draft:
    """Make plans for a dataset from a pretrained model.

    Args:
        request: what the user wants.

    Raises:
        PlanningError: the two do not go together, or plans of this name are there.
        CheckpointError: the model cannot be read.
        DatasetError: the dataset cannot be read.
        ConfigError: a setting of the tuning is out of range.
    """
    target = Target.of(request.dataset, request.processes)
    target.label_values  # noqa: B018  without a usable dataset.json there is nothing to plan for
    findings = findings_of_name(request.plans_name, target, request.overwrite)
    model = read_model(request.model, request.configuration, request.fold, request.checkpoint)
    comparison = Comparison(model, in_todays_format(model.plans, model.configuration), target, request.stem)
    findings += findings_of(comparison, AT_FIRST)
    refuse(findings)
    block = settings_for(request, comparison)
    findings += findings_of(comparison, OF_IMAGES)  # takes long, if there is no fingerprint
    refuse(findings)
    plans = new_plans(request, comparison, block)
    findings += _batch_without_labels(request, comparison, plans)
    return Draft(target, plans, tuple(findings), request, model)


def _batch_without_labels(
    request: Request, comparison: Comparison, plans: Mapping[str, Any]
) -> Iterator[Finding]:
    """The rule for the batch counts labelled cases: before the first it gives the smallest."""
    name = comparison.model.configuration
    got, known = plans["configurations"][name]["batch_size"], comparison.settings["batch_size"]
    if request.wishes.batch_size is None and not comparison.target.labelled and got < known:
        yield Finding(
            "note",
            "batch",
            f"its size is {got}, the model's is {known}: it is at most 5 % of the labelled cases', and there "
            "is none.",
            "Plan again with --overwrite once cases are labelled, or pass --batch_size.",
        )


def new_plans(request: Request, comparison: Comparison, block: TrainingConfig) -> dict[str, Any]:
    """The plans themselves.

    Args:
        request: what the user wants.
        comparison: the model and the dataset.
        block: the block ``slpt``.

    Raises:
        PlanningError: the patch does not fit the network, or the model's plans lack what normalisation needs.
    """
    target = comparison.target
    return transfer(
        comparison.plans,
        comparison.model.configuration,
        dataset=target.name,
        plans_name=request.plans_name,
        reader=comparison.reader,
        channels=len(target.channels),
        labelled=target.labelled,
        spacings_mm=target.spacings_mm,
        shapes=target.shapes,
        wishes=request.wishes,
        block=block,
    )


def settings_for(request: Request, comparison: Comparison) -> TrainingConfig:
    """The settings of the tuning, with the checkpoint, its hash, and what happens to its first layer.

    Args:
        request: what the user wants.
        comparison: the model and the dataset.

    Raises:
        ConfigError: a setting is out of range.
        PlanningError: the weights do not fit the network that the model's plans describe, or the patch or K
            does not.
    """
    model, target, tuning = comparison.model, comparison.target, comparison.tuning
    patch = patch_size_for(comparison.settings, request.wishes.patch_size)
    if tuning.by_tokens:
        check_windows(comparison.settings, patch)
    asked = {"prompts": request.prompts, "epochs": request.epochs}
    given: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    if "prompts" in given and tuning.by_tokens:
        raise PlanningError("-K is the number of prompts, and a PUNet has tokens instead. Leave it out.")
    given |= {
        "region_based": has_regions(target.dataset_json["labels"]),
        "mirror_axes": model.pretrained.mirror_axes,
    }
    block = tuning.settings(**given)
    if len(target.channels) != len(comparison.model_channels):
        block = replace(block, stem=comparison.stem)
    plans = {**comparison.plans, PLANS_KEY: block.as_block()}
    sha256 = frozen_hash(plans, model.configuration, target.dataset_json, model.pretrained)
    file = model.pretrained.path.resolve()
    if model.zipped:  # named by content, so that plans which were replaced still find theirs
        file = target.preprocessed.resolve() / UNPACKED / f"{file.stem}_{sha256[:12]}.pth"
    return replace(block, pretrained_checkpoint=str(file), pretrained_sha256=sha256)


def refuse_replacing(plans_file: Path, overwrite: bool) -> None:
    """Go no further if plans would be lost.

    Args:
        plans_file: to be written.
        overwrite: they may be replaced.

    Raises:
        PlanningError: they are there, and may not.
    """
    if plans_file.exists() and not overwrite:
        raise PlanningError(
            f"There are plans of this name already: {plans_file}. Choose another name with -p, or pass "
            "--overwrite, which keeps these beside."
        )


def findings_of_name(name: str, target: Target, overwrite: bool) -> list[Finding]:
    """What is to say of a plans name.

    Args:
        name: of the new plans.
        target: the dataset.
        overwrite: plans of this name may be replaced.

    Raises:
        PlanningError: it is taken, or cannot be a file's.
    """
    if not re.fullmatch(r"\w(?:[\w.-]*\w)?", name) or "__" in name or name.endswith(".json"):
        raise PlanningError(
            f"The plans name is {name!r}, expected letters, digits, '-', '.' and single '_', such as "
            f"{PLANS_NAME}: it becomes part of file names, and .json is added."
        )
    file = target.preprocessed / f"{name}.json"
    refuse_replacing(file, overwrite)
    if not file.exists():
        return []
    text = (
        f"{file} is replaced, with all that was set in it by hand; it is kept as before_{file.name}, with a "
        "number if there is one already. What was preprocessed with it may not fit any more."
    )
    return [Finding("warning", "plans", text, "Set anew what was set by hand, and preprocess again.")]
