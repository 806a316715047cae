"""The name of a base network: a hash of its weights."""

import pytest
import torch
from torch import nn

from nnunet_slpt.pretrained import base_hash


def test_the_hash_does_not_depend_on_order_or_layout():
    a, b = torch.arange(6.0).reshape(2, 3), torch.tensor(3)
    transposed = a.t().contiguous().t()
    assert not transposed.is_contiguous()
    assert base_hash({"a": a, "b": b}) == base_hash({"b": b.clone(), "a": transposed})


@pytest.mark.parametrize(
    "other",
    [
        {"b": torch.zeros(2, 3)},
        {"a": torch.zeros(3, 2)},
        {"a": torch.zeros(2, 3, dtype=torch.int32)},
        {"a": -torch.zeros(2, 3)},
        {"a": torch.zeros(2, 3), "b": torch.zeros(0)},
    ],
)
def test_the_hash_knows_names_shapes_types_and_bits(other):
    assert base_hash(other) != base_hash({"a": torch.zeros(2, 3)})


def test_the_hash_takes_bfloat16_and_parameters():
    weight = nn.Parameter(torch.ones(2, dtype=torch.bfloat16))
    assert base_hash({"a": weight}) == base_hash({"a": torch.ones(2, dtype=torch.bfloat16)})


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_the_hash_is_the_same_on_a_gpu(backbone):
    state = backbone().state_dict()
    assert base_hash(state) == base_hash({name: tensor.cuda() for name, tensor in state.items()})
