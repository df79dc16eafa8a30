import functools

import pytest
import torch
import torchvision

from firstlight.networks import GoogLeNet
from helpers.twin import assert_same_logits, images_of, size_on_imagenet


def test_on_imagenet_it_has_6624904_parameters() -> None:
    assert size_on_imagenet(GoogLeNet) == 6_624_904


def test_torchvision_weights_give_the_logits_of_torchvision() -> None:
    theirs = functools.partial(torchvision.models.googlenet, aux_logits=False, init_weights=False)
    assert_same_logits(GoogLeNet, theirs)


@pytest.mark.parametrize(("stem", "side"), [("small", 8), ("imagenet", 2)])
def test_the_small_stem_keeps_four_times_the_height_and_width(stem: str, side: int) -> None:
    network = GoogLeNet(images_of(64), stem=stem).eval()
    seen = []
    network.inception5b.register_forward_hook(lambda block, inputs, outputs: seen.append(tuple(outputs.shape)))
    assert network(torch.randn(1, 3, 64, 64)).shape == (1, 10)
    assert seen == [(1, 1024, side, side)]


def test_the_small_stem_trains_on_a_single_image() -> None:
    assert GoogLeNet(images_of(16)).train()(torch.randn(1, 3, 16, 16)).isfinite().all()


def test_dropout_is_active_in_training_only() -> None:
    network, inputs = GoogLeNet(images_of(16), dropout=0.5), torch.randn(2, 3, 16, 16)
    assert not torch.equal(network(inputs), network(inputs))
    network.eval()
    assert torch.equal(network(inputs), network(inputs))
