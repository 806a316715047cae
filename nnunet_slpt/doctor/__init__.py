"""Would it make sense to tune this model on this dataset? Looks at both, tells what it finds, writes nothing.

The command is ``nnunet_slpt_doctor``; from Python it is ``examine``, with the planners' ``Request``.
"""

__all__ = ["Examination", "examine"]

from nnunet_slpt.doctor.examination import Examination, examine
