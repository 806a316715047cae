"""Time and memory of prompt tuning against stock full fine-tuning, side by side in one run.

For each network: a stock full fine-tuning step, one prompt's pass, a whole step of K = 3, inference with the
plain network and with K = 3. The variants alternate, and a ratio is the median over rounds, so that it holds
when the machine's speed drifts. Peak memory is the allocator's on CUDA; on a CPU it is that of a process of
its own, which Linux alone tells.

    python benchmarks/step.py --output benchmarks/results/step_cpu.json
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet
from torch import Tensor, nn

from nnunet_slpt.config import PromptConfig
from nnunet_slpt.losses import PromptLoss, diversity_loss
from nnunet_slpt.networks import PromptedUNet

CLASSES = 4
BATCH = 2
CLEAR = Path("/proc/self/clear_refs")  # of Linux
WARMUP = 2


@dataclass(frozen=True)
class Network:
    """Features per stage, patch, and which axes the first kernels and strides leave out."""

    features: tuple[int, ...]
    patch: tuple[int, int, int]
    anisotropic: bool


NETWORKS = {
    "small": Network((8, 16, 32, 64, 80), (10, 96, 80), anisotropic=True),
    "middle": Network((16, 32, 64, 128, 160), (10, 96, 80), anisotropic=True),
    "stock": Network((32, 64, 128, 256, 320, 320), (128, 128, 128), anisotropic=False),
}
VARIANTS = ("plain step", "prompt pass", "step K=3", "plain inference", "inference K=3")
RATIOS = {
    "prompt pass": "plain step",
    "step K=3": "plain step",
    "inference K=3": "plain inference",
}


class Bench:
    """One network with everything a step needs."""

    def __init__(self, name: str, device: str, amp: bool, compiled: bool) -> None:
        torch.manual_seed(0)
        self.device, self.amp = device, amp
        spec = NETWORKS[name]
        self.plain: Any = stock_unet(spec).to(device)
        config = PromptConfig()
        self.prompted: Any = PromptedUNet(stock_unet(spec), spec.patch, CLASSES, config, True).to(device)
        self.parameters = self.prompted.parameter_summary()
        self.x = torch.randn(BATCH, 1, *spec.patch, device=device)
        self.target = torch.randint(0, CLASSES, (BATCH, 1, *spec.patch), device=device)
        self.losses = [PromptLoss(*config.tversky_of(k)) for k in range(config.prompts)]
        tuned = [p for p in self.prompted.parameters() if p.requires_grad]
        self.optimizers = (
            torch.optim.SGD(self.plain.parameters(), 1e-3, momentum=0.99, nesterov=True),
            torch.optim.AdamW(tuned, 1e-3),
        )
        self.make_prompts = self.prompted.prompts
        self.leaves = self.make_prompts().detach().requires_grad_()
        if compiled:
            self.plain, self.prompted = torch.compile(self.plain), torch.compile(self.prompted)

    def autocast(self) -> AbstractContextManager[Any]:
        dtype = torch.float16 if self.device == "cuda" else torch.bfloat16
        return torch.autocast(self.device, dtype) if self.amp else nullcontext()

    def loss(self, outputs: list[Tensor], k: int) -> Tensor:
        # nnU-Net's weights but for the coarsest levels, which cost next to nothing.
        return self.losses[k](outputs[0], self.target)

    def plain_step(self) -> None:
        self.optimizers[0].zero_grad(set_to_none=True)
        with self.autocast():
            loss = self.loss(self.plain(self.x), 0)
        loss.backward()
        self.optimizers[0].step()

    def prompt_pass(self, k: int = 0) -> None:
        with self.autocast():
            loss = self.loss(self.prompted(self.x, prompt=k, prompts=self.leaves), k)
        loss.backward()

    def prompted_step(self) -> None:
        self.optimizers[1].zero_grad(set_to_none=True)
        with self.autocast():
            prompts = self.make_prompts()
        self.leaves = prompts.detach().requires_grad_()
        diversity_loss(self.leaves).backward()
        for k in range(3):
            self.prompt_pass(k)
        prompts.backward(self.leaves.grad)
        self.optimizers[1].step()

    @torch.inference_mode()
    def infer(self, network: nn.Module) -> None:
        network.eval()
        with self.autocast():
            network(self.x)
        network.train()

    def variants(self) -> dict[str, Callable[[], None]]:
        steps = (
            self.plain_step,
            self.prompt_pass,
            self.prompted_step,
            lambda: self.infer(self.plain),
            lambda: self.infer(self.prompted),
        )
        return dict(zip(VARIANTS, steps, strict=True))


def stock_unet(spec: Network) -> nn.Module:
    stages = len(spec.features)
    flat = [1, 3, 3] if spec.anisotropic else [3, 3, 3]
    strides = [[1, 1, 1], [1, 2, 2], [2, 2, 2], [1, 2, 2], [1, 2, 2]]
    return PlainConvUNet(
        input_channels=1,
        n_stages=stages,
        features_per_stage=list(spec.features),
        conv_op=nn.Conv3d,
        kernel_sizes=[flat] + [[3, 3, 3]] * (stages - 1),
        strides=strides if spec.anisotropic else [[1] * 3] + [[2] * 3] * (stages - 1),
        n_conv_per_stage=[2] * stages,
        num_classes=CLASSES,
        n_conv_per_stage_decoder=[2] * (stages - 1),
        conv_bias=True,
        norm_op=nn.InstanceNorm3d,
        norm_op_kwargs={"eps": 1e-5, "affine": True},
        nonlin=nn.LeakyReLU,
        nonlin_kwargs={"inplace": True},
        deep_supervision=True,
    )


def seconds(call: Callable[[], None], device: str) -> float:
    start = time.perf_counter()
    call()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def time_network(name: str, args: argparse.Namespace) -> dict[str, Any]:
    """Alternating timings of all variants, with their ratios."""
    bench = Bench(name, args.device, args.amp, args.compile)
    variants = bench.variants()
    for call in list(variants.values()) * WARMUP:
        call()
    rounds = [
        {key: seconds(call, args.device) for key, call in variants.items()} for _ in range(args.repeats)
    ]
    times = {key: [one[key] for one in rounds] for key in variants}
    ratios = {key: [one[key] / one[base] for one in rounds] for key, base in RATIOS.items()}
    return {
        "parameters": bench.parameters,
        "seconds": {key: spread(values) for key, values in times.items()},
        "ratio to plain": {key: spread(values) for key, values in ratios.items()},
    }


def spread(values: list[float]) -> dict[str, float]:
    return {"min": round(min(values), 4), "median": round(median(values), 4), "max": round(max(values), 4)}


def peak_mib(name: str, variant: str, args: argparse.Namespace) -> int | None:
    """Peak memory of a variant beyond that of building it, in a process of its own; ``None`` if not known."""
    return peak_told_by([sys.executable, __file__, "--memory-of", name, variant, *_flags(args)])


def peak_told_by(command: list[str]) -> int | None:
    """What a process of its own found by ``peak_of``, the JSON in its last line, in whole MiB."""
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # stderr says why it failed
    peak = json.loads(done.stdout.splitlines()[-1])
    return None if peak is None else round(peak)


def _flags(args: argparse.Namespace) -> list[str]:
    flags = ["--device", args.device, "--threads", str(args.threads)]
    return flags + ["--amp"] * args.amp + ["--compile"] * args.compile


def measure_memory(name: str, variant: str, args: argparse.Namespace) -> float | None:
    bench = Bench(name, args.device, args.amp, args.compile)
    call = bench.variants()[variant]

    def thrice() -> None:
        for _ in range(3):
            call()

    return peak_of(thrice, args.device)


def peak_of(call: Callable[[], None], device: str) -> float | None:
    """Peak memory in MiB during a call; on a CPU beyond what there was before, ``None`` off Linux."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        call()
        return torch.cuda.max_memory_allocated() / 2**20
    if not CLEAR.exists():
        return None
    CLEAR.write_text("5")  # forget the peak of importing and building
    before = status_mib("VmRSS")
    call()
    return status_mib("VmHWM") - before


def status_mib(key: str) -> float:
    """A memory figure of this process, from Linux."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return float(next(line for line in lines if line.startswith(key)).split()[1]) / 1024


def print_network(name: str, row: dict[str, Any]) -> None:
    print(f"{name}: {row['parameters']}")
    for key, spread in row["ratio to plain"].items():
        low, middle, high = spread.values()
        print(f"  {key:14s} {middle:.2f} times {RATIOS[key]} ({low:.2f} to {high:.2f})")
    memory = row["peak MiB"]
    if None in memory.values():
        print("  peak memory    not known: this is not Linux", flush=True)
    else:
        ratio = memory["step K=3"] / memory["plain step"]
        print(f"  peak memory    {ratio:.2f} times plain step ({memory})", flush=True)


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    cuda = torch.cuda.is_available()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS)[: 3 if cuda else 2])
    parser.add_argument("--device", default="cuda" if cuda else "cpu", choices=("cpu", "cuda"))
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--amp", action="store_true", help="autocast: float16 on CUDA, bfloat16 on CPUs")
    parser.add_argument("--compile", action="store_true", help="torch.compile, as nnU-Net does on CUDA")
    parser.add_argument("--output", type=Path, help="write the figures as JSON")
    parser.add_argument("--memory-of", nargs=2, metavar=("NETWORK", "VARIANT"), help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse(argv)
    torch.set_num_threads(args.threads)
    if args.memory_of:
        print(json.dumps(measure_memory(*args.memory_of, args)))
        return 0
    settings = {key: str(getattr(args, key)) for key in ("device", "threads", "repeats", "amp", "compile")}
    report: dict[str, Any] = {
        "settings": settings,
        "torch": torch.__version__,
        "machine": torch.cuda.get_device_name() if args.device == "cuda" else platform.machine(),
        "networks": {},
    }
    for name in args.networks:
        row = time_network(name, args)
        row["peak MiB"] = {key: peak_mib(name, key, args) for key in VARIANTS[:3]}
        report["networks"][name] = row
        print_network(name, row)
        if args.output:  # after each, for the next one may not fit
            args.output.parent.mkdir(parents=True, exist_ok=True)
            args.output.write_text(json.dumps(report, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
