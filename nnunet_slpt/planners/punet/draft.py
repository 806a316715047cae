"""From a request to finished plans for pretraining that nobody has written yet: *dataset → plans, findings*.

Owns the order of steps: what names and numbers can refuse is refused before an image is read, and nothing is
written at all.
"""

__all__ = ["PUNET_PLANS_NAME", "PretrainingDraft", "PretrainingRequest", "draft_pretraining"]

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from nnunetv2.preprocessing.normalization.map_channel_name_to_normalization import get_normalization_scheme

from nnunet_slpt.config import PLANS_KEY, PUNetPretrainConfig
from nnunet_slpt.errors import PlanningError, one_of
from nnunet_slpt.label_outputs import has_regions
from nnunet_slpt.networks.punet.memory import GIGABYTES_AT_LEAST, gigabytes
from nnunet_slpt.networks.punet.plan import BodyPlan
from nnunet_slpt.planners.comparison import Finding
from nnunet_slpt.planners.draft import AnyDraft, findings_of_name
from nnunet_slpt.planners.punet.sizes import FEATURES, FEWEST_STAGES, punet_plans
from nnunet_slpt.planners.target import Target
from nnunet_slpt.planners.transfer import Wishes

PUNET_PLANS_NAME = "nnUNetPUNetPlans"


@dataclass(frozen=True, kw_only=True)
class PretrainingRequest:
    """One call of ``nnunet_slpt_plan --punet``.

    Args:
        dataset: name or number, as nnU-Net's ``-d``.
        configuration: plan this one alone; ``None`` plans all that nnU-Net does, but for cascades.
        plans_name: of the new plans.
        features: of each stage, from the finest.
        gpu_memory: in gigabytes; patch and batch are made to fit.
        wishes: another patch or batch size, whatever memory they take.
        epochs: of the pretraining; ``None`` takes the default.
        overwrite: replace plans of this name; they are kept beside.
        processes: that read images.
    """

    dataset: str
    configuration: str | None = None
    plans_name: str = PUNET_PLANS_NAME
    features: tuple[int, ...] = FEATURES
    gpu_memory: float = 8.0
    wishes: Wishes = field(default_factory=Wishes)
    epochs: int | None = None
    overwrite: bool = False
    processes: int = 8


@dataclass(frozen=True, eq=False)
class PretrainingDraft(AnyDraft):
    """Plans to pretrain a PUNet.

    Args:
        request: what was asked for.
    """

    request: PretrainingRequest

    @property
    def configurations(self) -> dict[str, dict[str, Any]]:
        """Name → settings, the one to begin with first."""
        settings: dict[str, dict[str, Any]] = self.plans["configurations"]
        return dict(sorted(settings.items(), key=lambda one: one[0] != "3d_fullres"))

    def gigabytes(self, configuration: str) -> float:
        """About so much GPU memory the pretraining takes."""
        return _gigabytes(self.configurations[configuration], self.target)


def draft_pretraining(request: PretrainingRequest) -> PretrainingDraft:
    """Make plans to pretrain a PUNet on a dataset.

    Args:
        request: what the user wants.

    Raises:
        PlanningError: plans of this name are there, a number is out of range, or nothing fits the memory.
        DatasetError: the dataset cannot be read.
        ConfigError: a setting of the training is out of range.
    """
    target = Target.of(request.dataset, request.processes)
    target.label_values  # noqa: B018  without a usable dataset.json there is nothing to plan for
    findings = findings_of_name(request.plans_name, target, request.overwrite)
    _check_numbers(request)
    block = _block(request, target)
    plans = punet_plans(
        target, request.plans_name, request.features, request.gpu_memory, request.wishes
    )  # takes long, if there is no fingerprint
    plans["configurations"] = _chosen(plans["configurations"], request)
    plans[PLANS_KEY] = block.as_block()
    findings += [finding for check in CHECKS for finding in check(request, target, plans["configurations"])]
    return PretrainingDraft(target, plans, tuple(findings), request)


def _block(request: PretrainingRequest, target: Target) -> PUNetPretrainConfig:
    config = PUNetPretrainConfig(region_based=has_regions(target.dataset_json["labels"]))
    return config if request.epochs is None else replace(config, epochs=request.epochs)


def _check_numbers(request: PretrainingRequest) -> None:
    features, patch = request.features, request.wishes.patch_size
    if len(features) < FEWEST_STAGES or min(features) < 1:
        raise PlanningError(
            f"--features {' '.join(map(str, features))}: expected {FEWEST_STAGES} or more whole numbers from "
            f"1 on, one a stage, such as the published {' '.join(map(str, FEATURES))}."
        )
    if not request.gpu_memory > GIGABYTES_AT_LEAST:
        raise PlanningError(
            f"--gpu_memory {request.gpu_memory:g}: expected more than {GIGABYTES_AT_LEAST:g} GB, which CUDA "
            "and the weights take already."
        )
    if patch is not None and (len(patch) not in (2, 3) or min(patch) < 1):
        raise PlanningError(
            f"--patch_size {' '.join(map(str, patch))}: expected three numbers from 1 on for the 3D "
            "configurations, or two for 2d."
        )


def _chosen(configurations: Mapping[str, Any], request: PretrainingRequest) -> dict[str, Any]:
    """All configurations, or the one that is asked for."""
    name, patch = request.configuration, request.wishes.patch_size
    if name is not None and name not in configurations:
        raise PlanningError(
            f"{one_of('configuration', name, configurations)}, as nnU-Net plans them for this dataset. "
            "Leave out -c, or choose one of them."
        )
    chosen = {key: configurations[key] for key in configurations if name in (None, key)}
    axes = {len(settings["patch_size"]) for settings in chosen.values()}
    if patch is not None and len(patch) not in axes:
        raise PlanningError(
            f"--patch_size has {len(patch)} numbers, and no configuration of these has as many axes: "
            f"{', '.join(chosen)}. Pass one number an axis."
        )
    return chosen


def _of_the_cases(_: PretrainingRequest, target: Target, __: Mapping[str, Any]) -> Iterator[Finding]:
    """All of them are trained on."""
    text = f"{target.labelled} of {len(target.cases)} have a label; all are trained on."
    alone = "" if target.labelled else " Without any, the network is trained by self-supervision alone."
    yield Finding("note", "cases", text + alone)


def _of_the_stages(
    request: PretrainingRequest, _: Target, configurations: Mapping[str, Any]
) -> Iterator[Finding]:
    """Images too small to be halved as often as there are features."""
    for name, settings in configurations.items():
        stages = len(settings["architecture"]["arch_kwargs"]["strides"])
        if stages < len(request.features):
            text = f"{name} has {stages} stages, not {len(request.features)}: its patch is halved no further."
            yield Finding("note", "network", text)


def _of_the_normalisation(
    _: PretrainingRequest, target: Target, configurations: Mapping[str, Any]
) -> Iterator[Finding]:
    """Not what nnU-Net does with such channels once there are labels."""
    settings = next(iter(configurations.values()))
    for name, planned in zip(target.channels, settings["normalization_schemes"], strict=True):
        usual = get_normalization_scheme(name).__name__
        if planned != usual:
            yield Finding(
                "warning",
                "normalisation",
                f"{name} gets {planned}: {usual} needs the intensities of labelled voxels, and there is no "
                "label.",
                "To have it, label a case, remove dataset_fingerprint.json if it is there, and plan again.",
            )


def _of_the_memory(
    request: PretrainingRequest, target: Target, configurations: Mapping[str, Any]
) -> Iterator[Finding]:
    """More than was allowed, because a patch or a batch was asked for."""
    for name, settings in configurations.items():
        need = _gigabytes(settings, target)
        if need > request.gpu_memory:
            yield Finding(
                "warning",
                "GPU memory",
                f"{name} takes about {need:.1f} GB, more than {request.gpu_memory:g}.",
                "Pass a smaller --patch_size or --batch_size, or leave them out.",
            )


def _gigabytes(settings: Mapping[str, Any], target: Target) -> float:
    plan = BodyPlan.from_settings(settings, len(target.channels))
    return gigabytes(plan, settings["batch_size"], settings["architecture"]["arch_kwargs"]["tokens"])


CHECKS = (_of_the_cases, _of_the_stages, _of_the_normalisation, _of_the_memory)
