import pytest
import torch
from torch import nn

from firstlight.networks import Inception
from firstlight.networks.flops import num_parameters
from firstlight.networks.inception import InceptionBlock
from helpers.twin import images_of


def test_the_branches_of_a_block_are_stacked_in_their_order() -> None:
    block = InceptionBlock(8, 4, (3, 6), (2, 5), 7).eval()
    maps = torch.randn(2, 8, 9, 9)
    found = block(maps)
    assert found.shape == (2, 4 + 6 + 5 + 7, 9, 9)
    for branch, part in zip(block.children(), found.split([4, 6, 5, 7], dim=1), strict=True):
        torch.testing.assert_close(part, branch(maps))


def test_block_3a_of_googlenet_has_the_weights_of_the_paper() -> None:
    weights = 192 * 64 + 192 * 96 + 96 * 128 * 9 + 192 * 16 + 16 * 32 * 25 + 192 * 32
    norms = 2 * (64 + 96 + 128 + 16 + 32 + 32)
    assert num_parameters(InceptionBlock(192, 64, (96, 128), (16, 32), 32)) == weights + norms


@pytest.mark.parametrize(("five", "reach"), [(3, 1), (5, 2)])
def test_the_largest_kernel_can_be_chosen(five: int, reach: int) -> None:
    block = InceptionBlock(2, 4, (4, 4), (4, 4), 4, five=five).eval()
    for parameter in block.branch3.parameters():
        nn.init.ones_(parameter)  # no ReLU is silent
    maps = torch.ones(1, 2, 11, 11, requires_grad=True)
    block.branch3(maps)[0, :, 5, 5].sum().backward()
    assert maps.grad is not None
    rows = maps.grad[0].abs().sum((0, 2)).nonzero()[:, 0]
    assert (int(rows.min()), int(rows.max())) == (5 - reach, 5 + reach)


def test_each_block_gives_as_many_maps_as_asked_and_poolings_halve() -> None:
    network, seen = Inception(images_of(32), channels=(32, 48, 16)).eval(), []
    for layer in network.features:
        if isinstance(layer, InceptionBlock):
            layer.register_forward_hook(lambda block, inputs, maps: seen.append(tuple(maps.shape[1:])))
    assert network(torch.randn(1, 3, 32, 32)).shape == (1, 10)
    assert seen == [(32, 32, 32), (48, 16, 16), (16, 8, 8)]


def test_more_blocks_than_poolings_fit_train_on_a_single_image() -> None:
    network = Inception(images_of(8), channels=(16,) * 5)
    assert sum(isinstance(layer, nn.MaxPool2d) for layer in network.features) == 2
    assert network(torch.randn(1, 3, 8, 8)).isfinite().all()


@pytest.mark.parametrize("channels", [(), (64, 100), (0,), (-16,)])
def test_a_width_that_the_branches_cannot_share_is_refused(channels: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"channels=\[.*\]: one block or more, each of a multiple of 16 maps"):
        Inception(images_of(32), channels=channels)
