"""Which cases to annotate next: SLPT's third part, TESLA.

The command is ``nnunet_slpt_select``; from Python it is ``workflow.select`` with a ``Request``.
"""

__all__ = ["Request"]

from nnunet_slpt.selection.request import Request
