"""Measuring predictions, and reporting what an experiment of many trainings found.

Must not import nnU-Net, trainers, planners or selection.
"""

__all__ = ["METRICS", "TOLERANCE_MM", "case_scores", "check_packages"]

from nnunet_slpt.evaluation.scores import METRICS, TOLERANCE_MM, case_scores
from nnunet_slpt.evaluation.surface import check_packages
