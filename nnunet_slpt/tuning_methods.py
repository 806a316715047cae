"""Every way to tune that is compared: its trainer, and what it sets in the plans' block.

Owns the names of the methods. Must not import torch, nnU-Net or the trainers.
"""

__all__ = ["PUNET", "TUNING_METHODS", "UNET", "TuningMethod"]

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

SLPT = "nnUNetTrainerSLPT"
PUNET_TRAINER = "nnUNetTrainerPUNet"
# Kinds of pretrained networks.
UNET, PUNET = "U-Net", "PUNet"


class TuningMethod(NamedTuple):
    """One way to tune a pretrained network.

    Args:
        trainer: for ``nnUNetv2_train … -tr``.
        settings: keys of ``plans["slpt"]``; what is not named keeps its value.
    """

    trainer: str
    settings: Mapping[str, Any] = MappingProxyType({})

    @property
    def network(self) -> str:
        """The kind of pretrained network that is tuned."""
        return PUNET if self.trainer == PUNET_TRAINER else UNET


# Parts that can be left out with one prompt, at a third of the cost, as well as with three.
ONE_PART_OUT: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "no_updaters": {"updaters": False, "scale_shift": False},
        "no_scale_shift": {"scale_shift": False},
        "no_aspp": {"aspp": False},
        "no_squeeze_excitation": {"squeeze_excitation": False},
        "plain_convolutions": {"separable": False},
        "no_prompt_map": {"prompt_map": False},
        "no_foreground_start": {"foreground_start": False},
    }
)

TUNING_METHODS: Mapping[str, TuningMethod] = MappingProxyType(
    {
        "slpt": TuningMethod(SLPT),
        # The baselines.
        "full_adamw": TuningMethod("nnUNetTrainerFullAdamW"),
        "full_sgd": TuningMethod("nnUNetTrainerFullSGD"),
        "scratch": TuningMethod("nnUNetTrainerScratch"),
        "scratch_sgd": TuningMethod(
            "nnUNetTrainerScratch", {"optimizer": "SGD", "learning_rate": 1e-2, "weight_decay": 3e-5}
        ),
        "head": TuningMethod("nnUNetTrainerHead"),
        "decoder": TuningMethod("nnUNetTrainerDecoder"),
        "bias_norm": TuningMethod("nnUNetTrainerBiasNorm"),
        "lora": TuningMethod("nnUNetTrainerLoRA"),
        # At three times the rate, where a training is short.
        **{
            f"{name}_fast": TuningMethod(trainer, {"learning_rate": rate})
            for name, trainer, rate in (
                ("full_adamw", "nnUNetTrainerFullAdamW", 1e-2),
                ("scratch", "nnUNetTrainerScratch", 1e-2),
                ("decoder", "nnUNetTrainerDecoder", 1e-2),
                ("lora", "nnUNetTrainerLoRA", 3e-2),
            )
        },
        # The ablation: first what only several prompts have.
        "slpt_no_diversity": TuningMethod(SLPT, {"weight_diversity": 0.0}),
        "slpt_no_views": TuningMethod(SLPT, {"views": False}),
        "slpt_one_tversky": TuningMethod(SLPT, {"tversky": [[0.5, 0.5]]}),
        **{f"slpt_{part}": TuningMethod(SLPT, settings) for part, settings in ONE_PART_OUT.items()},
        **{
            f"slpt_k1_{part}": TuningMethod(SLPT, {"prompts": 1, **settings})
            for part, settings in ONE_PART_OUT.items()
        },
        # One prompt a step, at a third of the cost.
        "slpt_in_turn": TuningMethod(SLPT, {"prompts_per_step": 1}),
        # K; "slpt" itself has 3.
        **{f"slpt_k{prompts}": TuningMethod(SLPT, {"prompts": prompts}) for prompts in (1, 2, 5, 8)},
        # PUNet, and what it is compared with.
        "punet": TuningMethod(PUNET_TRAINER),
        **{
            f"punet_{variant}": TuningMethod(PUNET_TRAINER, {"tuned": variant})
            for variant in ("head", "decoder", "bias_norm", "adapter", "full")
        },
    }
)
