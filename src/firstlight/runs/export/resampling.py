"""Pillow's resampling of 8-bit images as two matrix products, which export to other formats.

Pillow resizes the width and then the height; from version 13 on it starts with the height if that shrinks much more. It
rounds its weights to 22 bits, and the result of each pass to 8 bits. Doubles hold the sums exactly, so the pixels are
those of Pillow. Source: Pillow, src/libImaging/Resample.c.
"""

from collections.abc import Callable
from typing import NamedTuple

import PIL
import torch
from torch import Tensor

_CHOOSES_ORDER = int(PIL.__version__.partition(".")[0]) >= 13
_UNIT = 1 << 22  # weights are whole multiples of its inverse

# Name -> the filter, and its radius in pixels of the coarser of the two images.
_FILTERS: dict[str, tuple[Callable[[Tensor], Tensor], float]] = {
    "bilinear": (lambda x: (1 - x.abs()).clamp_min(0), 1.0),
    "bicubic": (lambda x: _bicubic(x.abs()), 2.0),
}


class Axis(NamedTuple):
    """How an image is cropped and resized along its height or its width. The numbers are tensors (), float64.

    Attributes:
        size: height or width of the image.
        start: where the part that is resized begins, in pixels of the image.
        length: length of this part, in pixels of the image.
        new_length: length of the resized part, in pixels of the result.
        offset: pixels of the result before the resized part. They are black, like those after it.
    """

    size: Tensor
    start: Tensor
    length: Tensor
    new_length: Tensor
    offset: Tensor


def resample(pixels: Tensor, rows: Axis, columns: Axis, size: tuple[int, int], interpolation: str) -> Tensor:
    """Resize images as Pillow does.

    Args:
        pixels: (batch, channels, any height, any width), whole numbers from 0 to 255, float64.
        rows: how the height is resampled.
        columns: how the width is resampled.
        size: height and width of the result.
        interpolation: "bilinear" or "bicubic".

    Returns:
        (batch, channels, *size), whole numbers from 0 to 255, float64.
    """
    across = weights(columns, pixels.shape[3], size[1], interpolation, pixels.device)
    down = weights(rows, pixels.shape[2], size[0], interpolation, pixels.device)
    width_first = _to_8_bits(down @ _to_8_bits(pixels @ across.T))
    if not _CHOOSES_ORDER:
        return width_first
    height_first = _to_8_bits(_to_8_bits(down @ pixels) @ across.T)
    fewer_rows, fewer_columns = rows.size - rows.new_length, columns.size - columns.new_length
    return torch.where((fewer_rows > 0) & (fewer_rows > 2 * fewer_columns), height_first, width_first)


def weights(axis: Axis, num_inputs: int, num_outputs: int, interpolation: str, device: torch.device) -> Tensor:
    """Return the weight of each input pixel in each output pixel, (outputs, inputs), in multiples of 2**-22."""
    kernel, radius = _FILTERS[interpolation]
    start, end = _single(axis.start), _single(axis.start + axis.length)
    scale = _single(end - start) / axis.new_length  # input pixels per output pixel
    inputs = torch.arange(num_inputs, device=device).double()
    outputs = torch.arange(num_outputs, device=device).double()[:, None] - axis.offset
    spread = scale.clamp_min(1)  # a smaller image takes the mean of more pixels
    centers = start + (outputs + 0.5) * scale
    first = (centers - radius * spread + 0.5).trunc().clamp_min(0)
    last = (centers + radius * spread + 0.5).trunc()
    used = (inputs >= first) & (inputs < last) & (outputs >= 0) & (outputs < axis.new_length)
    found = kernel((inputs - centers + 0.5) / spread) * used
    total = found.sum(1, keepdim=True)
    found = found / torch.where(total == 0, torch.ones_like(total), total) * _UNIT
    return (found + 0.5 * found.sign()).trunc()


def _single(value: Tensor) -> Tensor:
    """Round to single precision, in which Pillow keeps the part of the image that it resizes."""
    return value.float().double()


def _to_8_bits(sums: Tensor) -> Tensor:
    return ((sums + _UNIT // 2) / _UNIT).floor().clamp(0, 255)


def _bicubic(x: Tensor) -> Tensor:
    """Return the cubic convolution with a = -0.5 at distances x >= 0 (Keys 1981, equation 15)."""
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return torch.where(x < 1, near, torch.where(x < 2, far, torch.zeros_like(x)))
