"""Convolutions that halve an image, and transposed convolutions that restore the sizes before."""

from torch import nn


def halved_sizes(height: int, width: int, times: int) -> list[tuple[int, int]]:
    """Return the sizes of an image that is halved `times` times, from the largest to the smallest, rounded down."""
    return [(height >> step, width >> step) for step in range(times + 1)]


def halve(in_channels: int, out_channels: int, *, bias: bool = True) -> nn.Conv2d:
    """Return a convolution (batch, in_channels, height, width) -> (batch, out_channels, height // 2, width // 2)."""
    return nn.Conv2d(in_channels, out_channels, 4, stride=2, padding=1, bias=bias)


def double(in_channels: int, out_channels: int, size: tuple[int, int], *, bias: bool = True) -> nn.ConvTranspose2d:
    """Return a transposed convolution (batch, in_channels, size[0] // 2, size[1] // 2) -> (batch, out_channels, *size).

    The kernel size is a multiple of the stride. Every output pixel then depends on the same number of inputs, which
    avoids chequerboard artefacts (Odena, Dumoulin & Olah 2016).
    """
    odd = (size[0] % 2, size[1] % 2)
    return nn.ConvTranspose2d(in_channels, out_channels, 4, stride=2, padding=1, output_padding=odd, bias=bias)
