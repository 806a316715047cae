"""Selective labelling meets prompt tuning (SLPT) as a plugin to unmodified nnU-Net v2."""

__version__ = "0.1.0"
__all__ = ["__version__"]
