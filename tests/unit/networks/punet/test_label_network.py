"""What nnU-Net and the selection ask of a PUNet: a background, what is tuned, predictions that disagree."""

import pytest
import torch
from small_punets import images, settings
from torch._dynamo.testing import CompileCounter

from nnunet_slpt.networks.punet import LabelPUNet
from nnunet_slpt.networks.punet.network import trained_classes


def network(tokens=5, exclusive=True, **changes):
    torch.manual_seed(0)
    return LabelPUNet(["liver", "tumour"], exclusive, **settings(3) | {"tokens": tokens} | changes).eval()


def without(full, left_out):
    """A network that never had some of the tokens."""
    few = network(tokens=full.tokens - len(left_out))
    kept = [token for token in range(full.tokens) if token not in left_out]
    few.body.load_state_dict(full.body.state_dict())
    for name in full.class_names:
        state = full.prompt(name).state_dict()
        for key, values in few.prompt(name).state_dict().items():
            values.copy_(state[key][kept] if values.shape != state[key].shape else state[key])
    return few


@torch.no_grad()
def test_each_prediction_misses_another_part_of_the_tokens():
    full, x = network(), images()
    for values in full.parameters():  # biases begin at 0, which would hide whose they are
        values.add_(0.1 * torch.randn_like(values))
    predictions = full.predict_prompts(x)
    for prediction, left_out in zip(predictions, [(0, 4), (1,), (2,), (3,)], strict=True):
        torch.testing.assert_close(prediction, without(full, left_out)(x))


@torch.no_grad()
def test_tokens_that_are_all_alike_leave_no_doubt():
    net = network(prompted="none")
    for name in net.class_names:
        net.prompt(name).head.copy_(net.prompt(name).head[:1].expand_as(net.prompt(name).head))
    for prediction in net.predict_prompts(images()):
        torch.testing.assert_close(prediction, net(images()), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_predicting_changes_nothing():
    net = network()
    before = {name: values.clone() for name, values in net.state_dict().items()}
    net.predict_prompts(images())
    assert all(torch.equal(values, before[name]) for name, values in net.state_dict().items())


@torch.no_grad()
@pytest.mark.parametrize(("exclusive", "channels"), [(True, 3), (False, 2)])
def test_background_where_labels_exclude_each_other(exclusive, channels):
    net, x = network(exclusive=exclusive), images()
    assert net(x).shape[1] == net.predict_prompts(x).shape[2] == channels
    assert torch.equal(net(x)[:, -2:], net(x, ["liver", "tumour"]))
    if exclusive:
        assert not net(x)[:, 0].any()


@torch.no_grad()
@pytest.mark.parametrize("jointly", [False, True])
def test_a_class_that_nobody_trained_is_found_nowhere(jointly):
    net, x = network(jointly=jointly), images()
    net.train_classes(["liver"], anew=True)
    assert (net(x)[:, 2] == -100).all()
    assert (net.predict_prompts(x)[:, :, 2] == -100).all()
    assert net(x)[:, 1].unique().numel() > 1
    # nnU-Net weighs logits by up to 10 and adds those of all windows over a voxel, in half precision.
    assert (27 * 10 * net(x).half()).isfinite().all()


def test_which_classes_were_trained_stands_in_the_weights():
    net = network()
    net.train_classes(["tumour"], anew=True)
    weights = net.state_dict()
    assert trained_classes(weights) == ["tumour"]
    other = network()
    assert [other.start_class(name, weights) for name in ("liver", "tumour")] == [False, True]
    assert other.prompt("liver").scale == 1


def test_a_training_that_goes_on_switches_classes_on_and_none_off():
    net = network()
    net.train_classes(["tumour"], anew=True)
    net.train_classes(["liver"], anew=False)
    assert trained_classes(net.state_dict()) == ["liver", "tumour"]
    assert (net.prompt("liver").scale, net.prompt("liver").offset) == (1, 0)


@torch.no_grad()
def test_it_is_not_compiled_where_nnunets_predictor_compiles():
    net, x, counter = network(), images(), CompileCounter()
    assert torch.equal(torch.compile(net, backend=counter)(x), net(x))
    assert counter.frame_count == 0
