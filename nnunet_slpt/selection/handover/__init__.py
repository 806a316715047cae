"""The hand-over to the people who annotate, and back: pre-labels out, finished labels in.

What is opened for the annotators lies in one folder a round; what the model predicted is kept beside it, so
that what was changed can be told.
"""

__all__ = ["Collection"]

from nnunet_slpt.selection.handover.collection import Collection
