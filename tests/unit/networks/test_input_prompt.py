"""Prompts that are added to the image."""

from __future__ import annotations

import torch

from nnunet_slpt.networks.input_prompt import InputPrompt


def test_untuned_the_image_stays_as_it_is() -> None:
    x = torch.randn(2, 3, 4, 6, 8)
    assert torch.equal(InputPrompt(3)(x, torch.randn(2, 1, 4, 6, 8)), x)


def test_each_channel_has_its_gain() -> None:
    x, prompt, made = torch.randn(2, 3, 4, 6), torch.randn(2, 1, 4, 6), InputPrompt(3)
    with torch.no_grad():
        made.gain.copy_(torch.tensor([1.0, 0.0, -2.0]))
    expected = torch.stack([x[:, 0] + prompt[:, 0], x[:, 1], x[:, 2] - 2 * prompt[:, 0]], 1)
    torch.testing.assert_close(made(x, prompt), expected)


def test_a_prompt_of_another_grid_is_brought_to_the_images() -> None:
    made = InputPrompt(1)
    torch.nn.init.ones_(made.gain)
    x = torch.zeros(1, 1, 8, 8)
    assert torch.equal(made(x, torch.ones(1, 1, 4, 4)), x + 1)
