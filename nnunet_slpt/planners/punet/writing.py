"""Writing plans for pretraining, with all that preprocessing and training read beside them."""

__all__ = ["write_pretraining"]

from nnunet_slpt.files import write_json
from nnunet_slpt.host_conventions import FINGERPRINT_FILE
from nnunet_slpt.lock import exclusive
from nnunet_slpt.planners.draft import refuse_replacing
from nnunet_slpt.planners.planner import replace
from nnunet_slpt.planners.punet.draft import PretrainingDraft
from nnunet_slpt.planners.punet.report import as_json


def write_pretraining(draft: PretrainingDraft) -> None:
    """Write the plans last, so that they never lack the rest. What a file held before is kept beside.

    Args:
        draft: the plans.

    Raises:
        PlanningError: plans of this name have appeared meanwhile.
        FileError: a file cannot be written.
    """
    folder = draft.target.preprocessed
    with exclusive(folder):
        refuse_replacing(draft.plans_file, draft.request.overwrite)
        replace(folder / FINGERPRINT_FILE, draft.target.fingerprint)
        replace(folder / "dataset.json", draft.target.dataset_json)
        write_json(draft.report_file, as_json(draft))
        replace(draft.plans_file, draft.plans)
