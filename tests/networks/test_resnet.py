import pytest
import torch
import torchvision
from torch import nn

from firstlight.networks import ResNet
from firstlight.networks.network import num_parameters
from helpers.twin import assert_same_logits, images_of, size_on_imagenet

PARAMETERS = {18: 11_689_512, 34: 21_797_672, 50: 25_557_032, 101: 44_549_160, 152: 60_192_808}


@pytest.mark.parametrize("depth", PARAMETERS)
def test_the_number_of_parameters_on_imagenet_is_that_of_torchvision(depth: int) -> None:
    assert size_on_imagenet(lambda spec: ResNet(spec, depth=depth)) == PARAMETERS[depth]


@pytest.mark.parametrize("depth", PARAMETERS)
def test_depth_counts_the_layers_with_weights_except_shortcuts(depth: int) -> None:
    with torch.device("meta"):
        network = ResNet(images_of(32), depth=depth)
    layers = [name for name, module in network.named_modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    assert sum("downsample" not in name for name in layers) == depth


@pytest.mark.parametrize(("depth", "theirs"), [(18, torchvision.models.resnet18), (50, torchvision.models.resnet50)])
def test_torchvision_weights_give_the_logits_of_torchvision(depth: int, theirs: type) -> None:
    assert_same_logits(lambda spec: ResNet(spec, depth=depth), theirs)


def test_the_small_stem_of_depth_18_has_11173962_parameters() -> None:
    with torch.device("meta"):
        assert num_parameters(ResNet(images_of(32))) == 11_173_962


@pytest.mark.parametrize(("stem", "side"), [("small", 8), ("imagenet", 2)])
def test_the_small_stem_keeps_four_times_the_height_and_width(stem: str, side: int) -> None:
    network = ResNet(images_of(64), stem=stem).eval()
    seen = []
    network.layer4.register_forward_hook(lambda layer, inputs, outputs: seen.append(tuple(outputs.shape)))
    assert network(torch.randn(1, 3, 64, 64)).shape == (1, 10)
    assert seen == [(1, 512, side, side)]


def test_the_small_stem_trains_on_a_single_image() -> None:
    assert ResNet(images_of(16)).train()(torch.randn(1, 3, 16, 16)).isfinite().all()


def test_a_block_whose_convolutions_are_zero_returns_its_input() -> None:
    block = ResNet(images_of(16), initialisation="zeros").layer1[1].eval()
    inputs = torch.rand(2, 64, 4, 4)
    assert torch.equal(block(inputs), inputs)


def test_a_block_does_not_change_its_input() -> None:
    block = ResNet(images_of(16)).layer1[0]
    inputs = torch.randn(2, 64, 4, 4)
    before = inputs.clone()
    block(inputs)
    assert torch.equal(inputs, before)


def test_the_activation_can_be_chosen() -> None:
    kinds = {type(module) for module in ResNet(images_of(16), activation="silu").modules()}
    assert nn.SiLU in kinds
    assert nn.ReLU not in kinds


def test_an_unknown_depth_raises_an_error() -> None:
    with pytest.raises(ValueError, match=r"depth=20: unknown depth; known: 18, 34, 50, 101, 152"):
        ResNet(images_of(32), depth=20)
