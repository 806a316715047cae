"""nnU-Net's planner, with the plans of a pretrained model: owns what is written, and in which order.

What is written is decided in ``draft``. Must not import the trainer.
"""

__all__ = ["SLPTPlanner", "replace"]

from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

from nnunetv2.experiment_planning.experiment_planners.default_experiment_planner import ExperimentPlanner

from nnunet_slpt.files import check_writable, replace_json, write_bytes, write_json
from nnunet_slpt.host_conventions import FINGERPRINT_FILE
from nnunet_slpt.lock import exclusive
from nnunet_slpt.planners.draft import PLANS_NAME, Request, draft_plans, refuse_replacing
from nnunet_slpt.planners.report import as_json
from nnunet_slpt.planners.target import Target

OF_REQUEST = frozenset(field.name for field in fields(Request))


class SLPTPlanner(ExperimentPlanner):
    """Plans for a dataset from a pretrained model, behind nnU-Net's interface for planners.

    All that can be refused is refused when the planner is made. Then the fingerprint is written where there
    is none, for nnU-Net's planner wants to find one; ``plan_experiment`` writes the rest.

    Args:
        dataset_name_or_id: as nnU-Net's ``-d``.
        plans_name: of the new plans.
        model: folder or zip of the pretrained model.
        **options: what else a ``Request`` takes; and what nnU-Net's planner takes, which has no effect here:
            memory, spacing and transposition are the model's.

    Raises:
        SLPTError: the model and the dataset do not go together, one of them cannot be read, or plans of this
            name are there; or the folder of the plans cannot be written to.
    """

    def __init__(
        self,
        dataset_name_or_id: str | int,
        plans_name: str = PLANS_NAME,
        *,
        model: str | Path,
        **options: Any,
    ) -> None:
        ours = {name: value for name, value in options.items() if name in OF_REQUEST}
        host = {name: value for name, value in options.items() if name not in OF_REQUEST}
        check_writable(Target.of(str(dataset_name_or_id)).preprocessed)  # before all images are read
        self.draft = draft_plans(
            Request(dataset=str(dataset_name_or_id), model=Path(model), plans_name=plans_name, **ours)
        )
        target = self.draft.target
        with exclusive(target.preprocessed):
            replace(target.preprocessed / FINGERPRINT_FILE, target.fingerprint)
        # Its last step copies the raw dataset's split where there is none, and wants one to be the same.
        with suppress(AssertionError, IndexError):
            super().__init__(target.name, plans_name=plans_name, **host)

    def plan_experiment(self) -> dict[str, Any]:
        """Write what preprocessing and training need; the plans last, so that they never lack the rest.

        Returns:
            The plans.

        Raises:
            PlanningError: plans of this name have appeared meanwhile.
            FileError: a file cannot be written.
        """
        draft, folder = self.draft, self.draft.target.preprocessed
        with exclusive(folder):
            refuse_replacing(draft.plans_file, draft.request.overwrite)
            if draft.model.zipped:
                write_bytes(draft.checkpoint, draft.model.checkpoint_bytes())
            replace(folder / "dataset.json", draft.target.dataset_json)
            write_json(draft.report_file, as_json(draft))
            self.save_plans(draft.plans)
        self.plans = draft.plans
        return draft.plans

    def save_plans(self, plans: dict[str, Any]) -> None:
        """In one step; unlike nnU-Net's, without the configurations of what is replaced, which lies beside.

        Args:
            plans: all of them.
        """
        replace(self.draft.plans_file, plans)


def replace(file: Path, content: Any) -> None:
    """Write one of nnU-Net's JSON files; what it held before is kept beside, if that was something else.

    Args:
        file: to make or to replace.
        content: of JSON's types.

    Raises:
        FileError: it cannot be written.
    """
    replace_json(file, content, file.with_name(f"before_{file.name}"))
