"""Preprocessing that only does what is new: ``workflow.preprocess``, and the command over it.

Through nnU-Net's own preprocessor. Must not import the networks' trainers or the selection.
"""

__all__ = ()
