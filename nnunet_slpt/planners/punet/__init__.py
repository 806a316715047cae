"""Plans to pretrain a PUNet from scratch on a dataset, labelled or not: ``nnunet_slpt_plan --punet``."""

__all__ = ["PretrainingDraft", "PretrainingRequest", "draft_pretraining", "write_pretraining"]

from nnunet_slpt.planners.punet.draft import PretrainingDraft, PretrainingRequest, draft_pretraining
from nnunet_slpt.planners.punet.writing import write_pretraining
