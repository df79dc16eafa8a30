import pytest
import torch
import torchvision

from firstlight.networks import MobileNet
from firstlight.networks.mobilenet import InvertedResidual
from helpers.twin import assert_same_logits, images_of, size_on_imagenet


def test_on_imagenet_it_has_3504872_parameters() -> None:
    assert size_on_imagenet(MobileNet) == 3_504_872


def test_torchvision_weights_give_the_logits_of_torchvision() -> None:
    assert_same_logits(MobileNet, torchvision.models.mobilenet_v2)


@pytest.mark.parametrize(("stem", "side"), [("small", 8), ("imagenet", 2)])
def test_the_small_stem_keeps_four_times_the_height_and_width(stem: str, side: int) -> None:
    network = MobileNet(images_of(64), stem=stem).eval()
    assert network.features(torch.randn(1, 3, 64, 64)).shape == (1, 1280, side, side)


def test_the_small_stem_trains_on_a_single_image() -> None:
    assert MobileNet(images_of(16)).train()(torch.randn(1, 3, 16, 16)).isfinite().all()


@pytest.mark.parametrize(("out_channels", "stride", "adds"), [(8, 1, True), (8, 2, False), (12, 1, False)])
def test_a_block_adds_its_input_if_the_shapes_are_equal(out_channels: int, stride: int, adds: bool) -> None:
    block = InvertedResidual(8, out_channels, expansion=6, stride=stride).eval()
    inputs = torch.randn(2, 8, 6, 6)
    found = block(inputs)
    assert found.shape == (2, out_channels, 6 // stride, 6 // stride)
    torch.testing.assert_close(found, block.conv(inputs) + inputs if adds else block.conv(inputs))


def test_a_bottleneck_is_linear() -> None:
    assert (InvertedResidual(8, 12, expansion=6, stride=1)(torch.randn(2, 8, 6, 6)) < 0).any()
