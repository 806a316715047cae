"""What a GPU would have to hold, counted tensor by tensor without one.

At nnU-Net's stock size and in mixed precision: the peak of what the forward pass of a training step, a
validation step and the prediction of a patch keep at a time, for stock full fine-tuning and for K prompts;
and the share of the weights that is tuned. torch's fake tensors have a device, a type and a shape, and
nothing in them. Weights, gradients and the optimizer's state are not counted, nor what CUDA's libraries take
beside, or torch.compile saves.

    python benchmarks/memory.py --output benchmarks/results/memory.json
"""

import argparse
import json
import sys
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from step import BATCH, CLASSES, NETWORKS, stock_unet
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from nnunet_slpt.config import PromptConfig
from nnunet_slpt.losses import PromptLoss
from nnunet_slpt.networks import PromptedUNet

GPU = torch.device("cuda", 0)
GIGABYTE = 1e9
PROMPTS = (1, 3, 8)


class Counter(TorchDispatchMode):
    """Bytes of all storages that operations have made and that are still there, and their peak."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: dict[int, int] = {}
        self.peak = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        for one in tree_iter(result):
            if isinstance(one, Tensor):
                storage = one.untyped_storage()
                if storage._cdata not in self.sizes:
                    self.sizes[storage._cdata] = storage.nbytes()
                    weakref.finalize(storage, self.sizes.pop, storage._cdata, None)
        self.peak = max(self.peak, sum(self.sizes.values()))
        return result


@contextmanager
def on_gpu(network: Any) -> Iterator[Any]:
    """A network and all that is made beside it, on a GPU that computes nothing."""
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    for module in network.modules():
        for name, parameter in module.named_parameters(recurse=False, remove_duplicate=False):
            there = FakeTensor(mode, parameter.detach().to("meta"), GPU)
            module._parameters[name] = nn.Parameter(there, parameter.requires_grad)
        for name, buffer in module.named_buffers(recurse=False, remove_duplicate=False):
            module._buffers[name] = FakeTensor(mode, buffer.to("meta"), GPU)
    with mock.patch("torch.cuda.is_available", return_value=True), mode:
        yield network


def peak(network: Any, run: Callable[[Any], object]) -> float:
    """Gigabytes that a run needs at a time, with mixed precision."""
    with Counter() as counter, torch.autocast("cuda"):
        run(network)
    return round(counter.peak / GIGABYTE, 2)


def judge(outputs: list[Tensor]) -> Tensor:
    """The loss over all levels but the coarsest, as nnU-Net weighs them."""
    loss = PromptLoss(0.5, 0.5)
    values = [
        loss(one, torch.empty(len(one), 1, *one.shape[2:], dtype=torch.int16, device=GPU)) / 2**level
        for level, one in enumerate(outputs[:-1])
    ]
    return sum(values[1:], values[0])


def peaks(network: Any, patch: tuple[int, ...], prompted: bool) -> dict[str, float]:
    """Of a training step's forward pass, a validation step and the prediction of one patch."""
    images = torch.empty(BATCH, 1, *patch, device=GPU)
    one_prompt = {"prompt": 0, "prompts": network.prompts().detach()} if prompted else {}
    found = {"training": peak(network.train(), lambda made: judge(made(images, **one_prompt)))}
    with torch.no_grad():
        found["validation"] = peak(network.eval(), lambda made: judge(made(images)))
        network.decoder.deep_supervision = False
        found["prediction"] = peak(network, lambda made: made(images[:1]))
    return found


def tuned_share(network: nn.Module) -> float:
    """Of all weights, those that a training changes, rounded to four digits."""
    weights = [(parameter.numel(), parameter.requires_grad) for parameter in network.parameters()]
    return round(sum(count for count, tuned in weights if tuned) / sum(count for count, _ in weights), 4)


def measure(name: str) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
    """Gigabytes and tuned shares of a network."""
    spec = NETWORKS[name]
    networks = {"full fine-tuning": stock_unet(spec)}
    for prompts in PROMPTS:
        config = PromptConfig(prompts=prompts)
        networks[f"K={prompts}"] = PromptedUNet(stock_unet(spec), spec.patch, CLASSES, config, True)
    found, shares = {}, {}
    for title, network in networks.items():
        shares[title] = tuned_share(network)
        with on_gpu(network):
            found[title] = peaks(network, spec.patch, isinstance(network, PromptedUNet))
    return found, shares


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", choices=NETWORKS, default="stock")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    found, shares = measure(arguments.network)
    for name, row in found.items():
        print(f"{name:17}", ", ".join(f"{what} {size:.2f} GB" for what, size in row.items()))
    if arguments.output:
        settings = {"network": arguments.network, "batch": BATCH, "precision": "mixed"}
        content = {"settings": settings, "torch": torch.__version__, "tuned": shares, "gigabytes": found}
        arguments.output.write_text(json.dumps(content, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
