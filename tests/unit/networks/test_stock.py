"""nnU-Net's own network, tuned in part: which parameters, which statistics, which heads."""

from __future__ import annotations

from typing import Any

import torch
from backbones import CLASSES, images, plain
from torch import nn

from nnunet_slpt.host_conventions import HEADS
from nnunet_slpt.networks.lora import add_lora
from nnunet_slpt.networks.stock import StockUNet, choose_tuned, rest_frozen

BATCH_NORM = {"norm_op": nn.BatchNorm3d}


def tuned(network: nn.Module) -> set[str]:
    return {name for name, parameter in network.named_parameters() if parameter.requires_grad}


def test_the_decoder_means_the_decoder_alone() -> None:
    """Although nnU-Net's decoder holds the encoder under a name of its own."""
    network = plain()
    choose_tuned(network, lambda name, values: name.startswith("decoder."))
    assert {name.split(".")[0] for name in tuned(network)} == {"decoder"}
    assert not any(parameter.requires_grad for parameter in network.encoder.parameters())


def test_heads_are_always_tuned() -> None:
    network = plain()
    choose_tuned(network, lambda name, values: False)
    assert tuned(network) == {name for name in network.state_dict() if name.startswith(HEADS)}


def test_to_choose_again_forgets_the_first_choice() -> None:
    network = plain()
    choose_tuned(network, lambda name, values: False)
    choose_tuned(network, lambda name, values: True)
    assert tuned(network) == {name for name, _ in network.named_parameters()}


def statistics(network: Any, part: str) -> list[torch.Tensor]:
    buffers = getattr(network, part).named_buffers()
    return [value.clone() for name, value in buffers if "running" in name and "encoder" not in name]


def test_statistics_of_what_is_frozen_do_not_drift() -> None:
    network = plain(**BATCH_NORM)
    choose_tuned(network, lambda name, values: name.startswith("decoder."))
    encoder, decoder = (statistics(network, part) for part in ("encoder", "decoder"))
    network.train()
    rest_frozen(network)
    network(images())
    assert all(map(torch.equal, encoder, statistics(network, "encoder")))
    assert not any(map(torch.equal, decoder, statistics(network, "decoder")))


def test_where_all_is_tuned_training_mode_stays() -> None:
    network = plain(dropout_op=nn.Dropout3d, dropout_op_kwargs={"p": 0.5})
    choose_tuned(network, lambda name, values: True)
    network.train()
    rest_frozen(network)
    assert all(module.training for module in network.modules())


def test_lora_does_not_change_what_is_pretrained() -> None:
    torch.manual_seed(0)
    network = plain()
    before = StockUNet(network).frozen_state()
    for part in (network.encoder, network.decoder.stages):
        add_lora(part, rank=2)
    after = StockUNet(network).frozen_state()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_heads_of_known_classes_get_the_given_rows() -> None:
    network = plain()
    heads = StockUNet(network).heads
    layer = network.decoder.seg_layers[1]
    last = layer.weight[-1].detach().clone()
    weight, bias = torch.randn(2, *layer.weight.shape[1:]), torch.randn(2)
    heads.start_from(1, weight, bias, {0: 1, 2: 0})
    assert heads.classes == CLASSES + 1
    assert torch.equal(layer.weight[0], weight[1])
    assert torch.equal(layer.bias[2], bias[0])
    assert torch.equal(layer.weight[-1], last)


def test_the_summary_counts_tuned_ones_against_pretrained_ones() -> None:
    network = plain()
    choose_tuned(network, lambda name, values: False)
    heads = sum(parameter.numel() for parameter in network.decoder.seg_layers.parameters())
    others = sum(parameter.numel() for parameter in network.parameters()) - heads
    share = f"{100 * heads / others:.2f} %"
    assert (
        StockUNet(network).parameter_summary() == f"{others:,} frozen and {heads:,} tuned parameters, {share}"
    )
    choose_tuned(network, lambda name, values: True)
    assert StockUNet(network).parameter_summary().startswith(f"0 frozen and {others + heads:,} tuned")
