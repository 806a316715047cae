"""What the user asks of a selection: one frozen object, from the command line or from Python.

Must not import torch or nnU-Net.
"""

__all__ = ["Request"]

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nnunet_slpt.errors import SelectionError, one_of
from nnunet_slpt.host_conventions import FINAL

DEVICES = ("cuda", "cpu", "mps")


@dataclass(frozen=True, kw_only=True)
class Request:
    """One call of ``nnunet_slpt_select``.

    Args:
        dataset: name or number, as nnU-Net's ``-d``.
        budget: a number of cases, or a percentage of the pool such as ``5%``; ``None`` to choose none and
            only pre-label the last round.
        model_folder: of a trained nnU-Net, or a folder around it; ``None`` looks in ``nnUNet_results`` for
            the three names.
        trainer: of the model.
        plans: of the model.
        configuration: of the model; ``None`` takes ``3d_fullres``, or the only one that there is.
        folds: of the model; ``None`` takes all there are.
        checkpoint: file name inside a fold's folder.
        device: ``cuda``, ``cpu`` or ``mps``.
        preprocessing: processes that read and resample; 0 does it in this one.
        scoring: threads that turn predictions into scores.
        step_size: of the sliding window, as a share of the patch.
        mirroring: average predictions over mirrored images.
        parts: how many calls share the network's work.
        part: which of them this is, from 0 on.
        strategy: ``tesla``, a strategy's name, or two names in tandem, as in ``random+hybrid``.
        parameters: of the strategy.
        aggregation: how a case's voxels become one number.
        stages: of the encoder, from which features are taken.
        seed: of everything random.
        hide_labels: only cases that earlier rounds chose count as labelled.
        partial: go on although cases of earlier rounds have no label yet.
        skip_unreadable: leave out cases whose images cannot be used or are not all there, instead of
            refusing.
        validation_file: names of cases that are never chosen and validate.
        exclude_file: names of cases that are never chosen.
        dry_run: write nothing but what the network has seen.
        save_maps: write maps of the chosen cases' uncertainty.
        prelabel: write a predicted segmentation of each chosen case, for the annotators to correct.

    Raises:
        SelectionError: a value is out of range, or there is nothing to do.
    """

    dataset: str
    budget: str | None = None
    model_folder: Path | None = None
    trainer: str = "nnUNetTrainerSLPT"
    plans: str = "nnUNetPlans"
    configuration: str | None = None
    folds: tuple[str, ...] | None = None
    checkpoint: str = FINAL
    device: str = "cuda"
    preprocessing: int = 3
    scoring: int = 3
    step_size: float = 0.5
    mirroring: bool = True
    parts: int = 1
    part: int = 0
    strategy: str = "tesla"
    parameters: Mapping[str, Any] = field(default_factory=dict)
    aggregation: str = "classes"
    stages: str = "deep_half"
    seed: int = 0
    hide_labels: bool = False
    partial: bool = False
    skip_unreadable: bool = False
    validation_file: Path | None = None
    exclude_file: Path | None = None
    dry_run: bool = False
    save_maps: bool = False
    prelabel: bool = False

    def __post_init__(self) -> None:
        if self.budget is None and not self.prelabel:
            raise SelectionError("-n is missing: how many cases to choose, such as -n 10 or -n 5%.")
        if self.device not in DEVICES:
            raise SelectionError(f"{one_of('device', self.device, DEVICES)}.")
        _require(0 < self.step_size <= 1, "-step_size", self.step_size, "more than 0 and at most 1")
        _require(self.parts >= 1, "-num_parts", self.parts, "1 or more")
        _require(0 <= self.part < self.parts, "-part_id", self.part, f"0 to {self.parts - 1}")
        _require(self.preprocessing >= 0, "-npp", self.preprocessing, "0 or more")
        _require(self.scoring >= 1, "-nps", self.scoring, "1 or more")
        writes = self.prelabel or self.save_maps
        _require(not (self.dry_run and writes), "--dry_run", "given", "neither --prelabel nor --save_maps")
        _require(0 <= self.seed < 2**31, "--seed", self.seed, "0 to 2147483647")


def _require(condition: bool, flag: str, got: object, expected: str) -> None:
    if not condition:
        raise SelectionError(f"{flag} is {got}, expected {expected}.")
