"""Convolutions that halve an image, and their mirror images that double it to the same sizes again."""

from torch import nn


def halved_sizes(height: int, width: int, times: int) -> list[tuple[int, int]]:
    """The sizes of an image, from the largest, that is halved so many times; of an odd size the rest is dropped."""
    return [(height >> step, width >> step) for step in range(times + 1)]


def halve(num_inputs: int, num_outputs: int, *, bias: bool = True) -> nn.Conv2d:
    """(batch, num_inputs, height, width) -> (batch, num_outputs, height // 2, width // 2)."""
    return nn.Conv2d(num_inputs, num_outputs, 4, stride=2, padding=1, bias=bias)


def double(num_inputs: int, num_outputs: int, size: tuple[int, int], *, bias: bool = True) -> nn.ConvTranspose2d:
    """(batch, num_inputs, size[0] // 2, size[1] // 2) -> (batch, num_outputs, *size).

    The kernel is a multiple of the stride, so that every pixel is made of equally many inputs and no chequerboard shows
    (Odena, Dumoulin & Olah 2016).
    """
    odd = (size[0] % 2, size[1] % 2)
    return nn.ConvTranspose2d(num_inputs, num_outputs, 4, stride=2, padding=1, output_padding=odd, bias=bias)
