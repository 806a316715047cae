"""Plans from a pretrained PUNet: its tokens are tuned, and what only a U-Net has is refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from small_models import write_punet

from nnunet_slpt.config import PUNetConfig
from nnunet_slpt.errors import PlanningError
from nnunet_slpt.planners import Wishes, draft_plans
from nnunet_slpt.planners.report import as_json
from nnunet_slpt.pretrained import base_hash


def drafted(place: Any, **wanted: Any) -> Any:
    return draft_plans(place.request(write_punet(place.folder / "models"), **wanted))


@pytest.mark.parametrize("labels", [None, {"background": 0, "whole": [1, 2], "organ": 1}])
def test_the_body_is_the_models_and_the_block_is_for_tokens(place: Any, labels: Any) -> None:
    place.dataset(labels=labels, more={"regions_class_order": [2, 1]})
    draft = drafted(place, epochs=7)
    config = PUNetConfig.from_plans(draft.plans)
    assert (config.epochs, config.tuned, config.region_based) == (7, "tokens", labels is not None)
    weights = draft.model.pretrained.weights
    body = {name: tensor for name, tensor in weights.items() if name.startswith("body.")}
    first_names = {name: tensor for name, tensor in body.items() if ".all_modules." not in name}
    assert config.pretrained_sha256 == base_hash(first_names)
    told = as_json(draft)
    assert told["carried_over"]["tuning"] == "2 tokens a class, 7 epochs"
    assert told["next"][1].endswith("-tr nnUNetTrainerPUNet -p nnUNetSLPTPlans")
    assert "known by name: organ" in str(draft.findings)
    assert "heads start anew" not in str(draft.findings)


def test_a_patch_of_the_same_windows_is_fine(place: Any) -> None:
    place.dataset()
    draft = drafted(place, wishes=Wishes((16, 16, 32)))
    assert draft.settings["patch_size"] == [16, 16, 32]


@pytest.mark.parametrize(
    ("wanted", "channels", "words"),
    [
        ({"prompts": 2}, ("MRI",), "-K is the number of prompts"),
        ({"wishes": Wishes((20, 16, 16))}, ("MRI",), r"windows of \[\(4, 4, 4\), \(4, 4, 4\), \(3, 4, 4\)\]"),
        ({"stem": "repeat"}, ("T1", "T2"), "--stem makes no PUNet fit"),
    ],
)
def test_what_a_punet_has_not_is_refused(place: Any, wanted: Any, channels: Any, words: str) -> None:
    place.dataset(channels)
    with pytest.raises(PlanningError, match=words):
        drafted(place, **wanted)


def changed(place: Any, change: Any) -> Any:
    """The request for plans from a model whose weights were changed."""
    file = write_punet(place.folder / "models") / "fold_all/checkpoint_final.pth"
    content = torch.load(file, weights_only=False)
    change(content["network_weights"])
    torch.save(content, file)
    return place.request(file.parents[1])


def test_a_model_that_was_tuned_with_adapters_is_refused_with_the_way_out(place: Any) -> None:
    place.dataset()
    request = changed(place, lambda weights: weights.update({"adapters.0.down.bias": torch.zeros(8)}))
    with pytest.raises(PlanningError, match=r"tuned with adapters.* Plan from its pretraining"):
        draft_plans(request)


def test_a_class_that_the_pretraining_did_not_train_is_new(place: Any) -> None:
    place.dataset()
    request = changed(place, lambda weights: weights["classes.class:organ.scale"].zero_())
    assert "new: organ" in str(draft_plans(request).findings)


def test_weights_of_another_body_are_refused(place: Any) -> None:
    place.dataset()
    request = changed(place, lambda weights: weights.pop("body.stem.conv1.conv.weight"))
    with pytest.raises(PlanningError, match="do not fit this network"):
        draft_plans(request)
