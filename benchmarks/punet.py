"""Time and memory of PUNet against MONAI's SwinUNETR of like size, side by side in one run.

A training step of each with all weights, a step that tunes one class's tokens, inference of each. The
variants alternate, and a ratio is the median over rounds. Peak memory is that of a process of its own on a
CPU, and the allocator's on CUDA.

    python benchmarks/punet.py --output benchmarks/results/punet_cpu.json
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from monai.networks.nets.swin_unetr import SwinUNETR
from nnunetv2.training.loss.compound_losses import DC_and_BCE_loss
from step import WARMUP, peak_of, peak_told_by, seconds, spread
from torch import nn

from nnunet_slpt.networks.punet import LabelPUNet

# nnU-Net's topology of the published network: 6.8 M parameters. SwinUNETR's nearest sizes: 4 M and 15.7 M.
FEATURES = (32, 64, 128, 256, 384)
SWIN_FEATURES = 12
PATCH = (32, 32, 64)
BATCH = 1
VARIANTS = (
    "SwinUNETR step",
    "PUNet step",
    "PUNet token step",
    "SwinUNETR inference",
    "PUNet inference",
)


class Bench:
    """Both networks with everything a step needs; one class."""

    def __init__(self, device: str) -> None:
        torch.manual_seed(0)
        self.swin = SwinUNETR(in_channels=1, out_channels=1, feature_size=SWIN_FEATURES).to(device)
        self.punet = _punet().to(device)
        self.tokens = _punet().to(device)
        self.tokens.choose_tuned("tokens")
        self.x = torch.randn(BATCH, 1, *PATCH, device=device)
        self.target = torch.rand(BATCH, 1, *PATCH, device=device) < 0.1
        self.loss = DC_and_BCE_loss({}, {"batch_dice": False, "do_bg": True, "smooth": 1e-5})

    def step(self, network: nn.Module, *names: list[str]) -> Callable[[], None]:
        tuned = [parameter for parameter in network.parameters() if parameter.requires_grad]
        optimizer = torch.optim.AdamW(tuned, 1e-3)

        def run() -> None:
            optimizer.zero_grad(set_to_none=True)
            self.loss(network(self.x, *names), self.target).backward()
            optimizer.step()

        return run

    def inference(self, network: nn.Module, *names: list[str]) -> Callable[[], None]:
        @torch.inference_mode()
        def run() -> None:
            network(self.x, *names)

        return run

    def variants(self) -> dict[str, Callable[[], None]]:
        one = ["class"]
        calls = (
            self.step(self.swin),
            self.step(self.punet, one),
            self.step(self.tokens, one),
            self.inference(self.swin),
            self.inference(self.punet, one),
        )
        return dict(zip(VARIANTS, calls, strict=True))


def _punet() -> LabelPUNet:
    stages = len(FEATURES)
    return LabelPUNet(
        ["class"],
        input_channels=1,
        patch_size=PATCH,
        features_per_stage=FEATURES,
        kernel_sizes=[[3] * 3] * stages,
        strides=[[1] * 3] + [[2] * 3] * (stages - 1),
    )


def _millions(network: nn.Module) -> float:
    return round(sum(parameter.numel() for parameter in network.parameters()) / 1e6, 2)


def measure(device: str, repeats: int) -> dict[str, Any]:
    bench = Bench(device)
    variants = bench.variants()
    for call in list(variants.values()) * WARMUP:
        call()
    rounds = [{key: seconds(call, device) for key, call in variants.items()} for _ in range(repeats)]
    return {
        "million parameters": {
            "SwinUNETR": _millions(bench.swin),
            "PUNet": _millions(bench.punet),
            "PUNet's tokens": sum(p.numel() for p in bench.tokens.parameters() if p.requires_grad) / 1e6,
        },
        "seconds": {key: spread([one[key] for one in rounds]) for key in variants},
        "ratio to SwinUNETR": {
            key: spread([one[key] / one[f"SwinUNETR {key.split()[-1]}"] for one in rounds])
            for key in VARIANTS
            if key.startswith("PUNet")
        },
        "peak MiB": {key: peak_mib(key, device) for key in variants},
    }


def peak_mib(variant: str, device: str) -> int | None:
    """Peak memory of a variant beyond that of building it, in a process of its own; ``None`` if not known."""
    return peak_told_by([sys.executable, __file__, "--memory-of", variant, "--device", device])


def measure_memory(variant: str, device: str) -> float | None:
    return peak_of(Bench(device).variants()[variant], device)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--output", type=Path, help="JSON to write")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--memory-of", choices=VARIANTS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.memory_of:
        print(json.dumps(measure_memory(args.memory_of, args.device)))
        return 0
    result = {
        "patch": PATCH,
        "batch": BATCH,
        **measure(args.device, args.repeats),
        "device": torch.cuda.get_device_name() if args.device == "cuda" else platform.machine(),
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "torch": torch.__version__,
    }
    print(json.dumps(result, indent=1))
    if args.output:
        args.output.write_text(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
