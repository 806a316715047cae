"""From somebody's pretrained model to plans for a new dataset.

The command is ``nnunet_slpt_plan``; from Python it is ``SLPTPlanner(...).plan_experiment()``, or
``draft_plans`` with a ``Request`` where nothing is to be written.
"""

__all__ = ["Draft", "Finding", "Request", "SLPTPlanner", "Wishes", "draft_plans"]

from nnunet_slpt.planners.comparison import Finding
from nnunet_slpt.planners.draft import Draft, Request, draft_plans
from nnunet_slpt.planners.planner import SLPTPlanner
from nnunet_slpt.planners.transfer import Wishes
