"""``nnunet_slpt_simulate``: campaigns replayed on data that is labelled already, to compare methods fairly.

The labels outside a budget are out of reach: each campaign runs nnU-Net's and our commands in folders of its
own, into which the referee puts the labels that were paid for, and no others. From Python it is
``workflow.simulate`` with a ``Request``.
"""

__all__ = ["Request"]

from nnunet_slpt.simulation.request import Request
