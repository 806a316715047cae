"""The report on an experiment: tables, figures, one page for people.

Must not import nnU-Net, trainers, planners or selection.
"""

__all__ = ["write_report"]

from nnunet_slpt.evaluation.report.write import write_report
