"""The prompt of one class: its tokens at every place of the network that takes some, and their biases.

Owns all that is tuned for a class, and where a prompt may reach. Must not import the body.
"""

__all__ = ["PROMPTED_RANGES", "TOKENS", "ClassPrompt", "Site", "SiteTokens", "prompted_stages", "tokens_at"]

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from nnunet_slpt.errors import ConfigError, one_of
from nnunet_slpt.networks.punet.bias import TokenBias

TOKENS = 16
# The logit of a class that was never trained: no background loses to it. nnU-Net adds up to ten times the
# logits of all windows over a voxel in half precision, which ends at 65504.
NEVER_TRAINED = -100.0
# Standard deviation of a token at the start. Attention normalises tokens and the head takes cosines with
# them, so only directions count, and a step of the optimizer turns a token the further the shorter it is.
LENGTH = 0.1
PROMPTED_RANGES = ("none", "start", "end", "encoder", "decoder", "full")


@dataclass(frozen=True)
class Site:
    """An attention that takes tokens.

    Args:
        channels: of its features.
        heads: that share them.
    """

    channels: int
    heads: int


def prompted_stages(prompted: str, stages: int) -> range:
    """The stages that take tokens, counted in running order: encoder stages, then decoder stages.

    Args:
        prompted: ``none``, ``start`` (the first), ``end`` (the last), ``encoder``, ``decoder`` or ``full``
            (all).
        stages: encoder stages; the decoder has one less.

    Raises:
        ConfigError: another range.
    """
    every = range(2 * stages - 1)
    chosen = {
        "none": every[:0],
        "start": every[:1],
        "end": every[-1:],
        "encoder": every[:stages],
        "decoder": every[stages:],
        "full": every,
    }
    if prompted not in chosen:
        raise ConfigError(f"Which stages take tokens: {one_of('range', prompted, PROMPTED_RANGES)}.")
    return chosen[prompted]


class SiteTokens(nn.Module):
    """T tokens of one class for one attention.

    Args:
        site: the attention.
        tokens: T.
    """

    def __init__(self, site: Site, tokens: int) -> None:
        super().__init__()
        self.tokens = nn.Parameter(LENGTH * torch.randn(tokens, site.channels))
        self.bias = TokenBias(tokens, site.heads)


class ClassPrompt(nn.Module):
    """Everything that is tuned for one class.

    The head compares features with its tokens, and turns the likeness into a logit by ``scale`` and
    ``offset``. These two are ours: a likeness is bounded, and where one pass serves several classes at right
    angles, nothing can be unlike all of them. They start as 1 and 0, as if they were not there.

    Args:
        sites: the attentions that take tokens, by number.
        channels: of the features that the head compares with.
        tokens: T.

    References:
        PUNet (arXiv:2211.09233): class-dependent prompt tokens, deep prompting.
    """

    def __init__(self, sites: Mapping[int, Site], channels: int, tokens: int = TOKENS) -> None:
        super().__init__()
        self.sites = nn.ModuleDict({str(number): SiteTokens(site, tokens) for number, site in sites.items()})
        self.head = nn.Parameter(LENGTH * torch.randn(tokens, channels))
        self.scale = nn.Parameter(torch.ones(()))
        self.offset = nn.Parameter(torch.zeros(()))

    def switch_off(self) -> None:
        """Give every voxel the same very low logit: nobody has trained this class."""
        self.scale.data.zero_()
        self.offset.data.fill_(NEVER_TRAINED)

    def switch_on(self) -> None:
        """Undo ``switch_off``; a class that is on stays as it is."""
        if not self.scale:
            self.scale.data.fill_(1.0)
            self.offset.data.zero_()

    def keeping(self, tokens: Sequence[int]) -> "ClassPrompt":
        """A copy with some of the tokens alone, for inference.

        Args:
            tokens: their numbers, from 0 on; the same ones at every place.
        """
        few = copy.deepcopy(self).requires_grad_(False)
        few.head.data = few.head.data[[*tokens]]
        for site in few.sites.values():
            if isinstance(site, SiteTokens):
                site.tokens.data = site.tokens.data[[*tokens]]
                site.bias.embeddings.data = site.bias.embeddings.data[[*tokens]]
        return few


def tokens_at(number: int, prompts: Sequence[ClassPrompt]) -> list[SiteTokens]:
    """What the classes bring to an attention; none outside the range that is prompted."""
    found = [prompt.sites[str(number)] for prompt in prompts if str(number) in prompt.sites]
    return [tokens for tokens in found if isinstance(tokens, SiteTokens)]
