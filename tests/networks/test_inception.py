import pytest
import torch
from torch import nn

from firstlight.networks import Inception
from firstlight.networks.inception import InceptionBlock
from firstlight.networks.network import num_parameters
from helpers.twin import images_of


def test_a_block_concatenates_its_branches_in_order() -> None:
    block = InceptionBlock(8, 4, (3, 6), (2, 5), 7).eval()
    inputs = torch.randn(2, 8, 9, 9)
    found = block(inputs)
    assert found.shape == (2, 4 + 6 + 5 + 7, 9, 9)
    for branch, part in zip(block.children(), found.split([4, 6, 5, 7], dim=1), strict=True):
        torch.testing.assert_close(part, branch(inputs))


def test_block_3a_of_googlenet_has_the_weights_of_the_paper() -> None:
    weights = 192 * 64 + 192 * 96 + 96 * 128 * 9 + 192 * 16 + 16 * 32 * 25 + 192 * 32
    norms = 2 * (64 + 96 + 128 + 16 + 32 + 32)
    assert num_parameters(InceptionBlock(192, 64, (96, 128), (16, 32), 32)) == weights + norms


@pytest.mark.parametrize(("five", "radius"), [(3, 1), (5, 2)])
def test_the_size_of_the_largest_kernel_can_be_set(five: int, radius: int) -> None:
    block = InceptionBlock(2, 4, (4, 4), (4, 4), 4, five=five).eval()
    for parameter in block.branch3.parameters():
        nn.init.ones_(parameter)  # positive, so that no ReLU outputs zero
    inputs = torch.ones(1, 2, 11, 11, requires_grad=True)
    block.branch3(inputs)[0, :, 5, 5].sum().backward()
    assert inputs.grad is not None
    rows = inputs.grad[0].abs().sum((0, 2)).nonzero()[:, 0]
    assert (int(rows.min()), int(rows.max())) == (5 - radius, 5 + radius)


def test_blocks_have_the_given_channels_and_poolings_halve_the_size() -> None:
    network, seen = Inception(images_of(32), channels=(32, 48, 16)).eval(), []
    for layer in network.features:
        if isinstance(layer, InceptionBlock):
            layer.register_forward_hook(lambda block, inputs, outputs: seen.append(tuple(outputs.shape[1:])))
    assert network(torch.randn(1, 3, 32, 32)).shape == (1, 10)
    assert seen == [(32, 32, 32), (48, 16, 16), (16, 8, 8)]


def test_a_single_image_trains_more_blocks_than_poolings() -> None:
    network = Inception(images_of(8), channels=(16,) * 5)
    assert sum(isinstance(layer, nn.MaxPool2d) for layer in network.features) == 2
    assert network(torch.randn(1, 3, 8, 8)).isfinite().all()


@pytest.mark.parametrize("channels", [(), (64, 100), (0,), (-16,)])
def test_channels_that_the_branches_cannot_divide_raise_an_error(channels: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"channels=\[.*\]: must be one or more multiples of 16"):
        Inception(images_of(32), channels=channels)
