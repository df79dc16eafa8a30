from typing import Any

import pytest
import torch
from torch.nn import functional as F

from firstlight.networks import ConvFilters
from helpers.twin import images_of


def test_every_channel_is_filtered_with_every_kernel_in_order() -> None:
    network = ConvFilters(images_of(9), kernels=("blur", "sobel_x"))
    images = torch.randn(2, 3, 9, 9)
    found = network.filtered(images)
    assert found.shape == (2, 6, 9, 9)
    for channel in range(3):
        alone = F.conv2d(images[:, channel : channel + 1], network.kernels[:2], padding=1)
        torch.testing.assert_close(found[:, 2 * channel : 2 * channel + 2], alone)


def test_identity_returns_the_image_and_sobel_finds_an_edge() -> None:
    images = torch.zeros(1, 1, 8, 8)
    images[..., 4:] = 1
    network = ConvFilters(images_of(8, channels=1), kernels=("identity", "sobel_x", "sobel_y"), padding="mirror")
    same, across, down = network.filtered(images)[0]
    assert torch.equal(same, images[0, 0])
    assert across[3].tolist() == [0, 0, 0, 4, 4, 0, 0, 0]
    assert not down.any()


@pytest.mark.parametrize(
    ("options", "sides"),
    [
        ({}, (9, 12)),
        ({"padding": "none"}, (7, 10)),
        ({"padding": "mirror"}, (9, 12)),
        ({"stride": 2}, (5, 6)),
        ({"stride": 3, "padding": "none"}, (3, 4)),
        ({"kernels": [[[1.0] * 5] * 5], "padding": "none"}, (5, 8)),
    ],
)
def test_filtered_images_fit_the_linear_layer(options: dict[str, Any], sides: tuple[int, int]) -> None:
    network = ConvFilters(images_of(9, 12), **options)
    images = torch.randn(2, 3, 9, 12)
    assert network.filtered(images).shape[2:] == sides
    assert network(images).shape == (2, 10)


@pytest.mark.parametrize(("padding", "corner"), [("zero", 4 / 9), ("mirror", 1.0), ("none", 1.0)])
def test_padding_sets_the_values_beyond_the_border(padding: str, corner: float) -> None:
    network = ConvFilters(images_of(6), kernels=("blur",), padding=padding)
    assert float(network.filtered(torch.ones(1, 3, 6, 6))[0, 0, 0, 0]) == pytest.approx(corner)


def test_only_the_linear_layer_learns_and_checkpoints_omit_the_kernels() -> None:
    network = ConvFilters(images_of(8))
    assert [name for name, _ in network.named_parameters()] == ["output.2.weight", "output.2.bias"]
    assert list(network.state_dict()) == ["output.2.weight", "output.2.bias"]


def test_without_classifier_it_returns_the_filtered_images() -> None:
    network, images = ConvFilters(images_of(8), classifier=False), torch.randn(2, 3, 8, 8)
    assert torch.equal(network(images), network.filtered(images))
    assert list(network.parameters()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stride": 0}, "stride=0: must be at least 1"),
        ({"padding": "miror"}, r"padding=miror: .* did you mean 'mirror'\?"),
        ({"kernels": ["sobel"]}, r"kernels=sobel: .* did you mean 'sobel_"),
        ({"kernels": [[[1.0] * 9] * 3]}, "kernels: must be at most as large as the images of 8x8, not 9x9"),
    ],
)
def test_an_invalid_option_raises_an_error(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ConvFilters(images_of(8), **options)
