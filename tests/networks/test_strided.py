import pytest
import torch

from firstlight.networks.strided import double, halve, halved_sizes

SIZES = [(8, 8), (28, 28), (7, 5), (9, 64), (33, 47)]


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_doubling_restores_the_size_before_halving(size: tuple[int, int]) -> None:
    image = torch.randn(2, 3, *size)
    half = halve(3, 5)(image)
    assert half.shape == (2, 5, size[0] // 2, size[1] // 2)
    assert double(5, 3, size)(half).shape == image.shape


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_halved_sizes_are_those_of_the_convolutions(size: tuple[int, int]) -> None:
    image, found = torch.randn(1, 1, *size), [size]
    for _ in range(2):
        image = halve(1, 1)(image)
        found.append(tuple(image.shape[2:]))
    assert halved_sizes(*size, 2) == found


def test_every_inner_pixel_of_a_doubled_image_depends_on_four_inputs() -> None:
    layer = double(1, 1, (12, 12), bias=False)
    torch.nn.init.ones_(layer.weight)
    assert layer(torch.ones(1, 1, 6, 6))[0, 0, 1:-1, 1:-1].eq(4).all()
