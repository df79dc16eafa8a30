"""Resample images by matrices, see `matrices`; or move whole pixels, if the matrices allow it."""

import torch
from torch import Tensor
from torch.nn import functional as F

from firstlight.augment.constant import constant, pixel_centres
from firstlight.spec import Size

# Padding beyond the edges of images: the names in YAML, and torch's names.
PADDINGS = {"zero": "zeros", "mirror": "reflection", "border": "border"}


def resample(raw: Tensor, matrices: Tensor, view: Size, size: Size, padding: str) -> Tensor:
    """Resample images bilinearly.

    Args:
        raw: (batch, channels, height, width), of any type.
        matrices: (batch, 3, 3), in pixels of `raw`, relative to its centre.
        view: height and width of the central part of `raw` that identity matrices turn into the output.
        size: height and width of the output.
        padding: zero, mirror or border.

    Returns:
        (batch, channels, *size), float32, on the scale of `raw`.
    """
    height, width = raw.shape[-2:]
    images = raw.float()
    shrinking = max(view[0] / size[0], view[1] / size[1])
    if shrinking >= 2:  # four neighbours would skip some pixels of the input
        small = (round(height * size[0] / view[0]), round(width * size[1] / view[1]))
        images = F.interpolate(images, small, mode="bilinear", antialias=True)
    return F.grid_sample(
        images,
        _grid(matrices, view, size, (height, width)),
        mode="bilinear",
        padding_mode=PADDINGS[padding],
        align_corners=False,
    )


def resample_nearest(raw: Tensor, matrices: Tensor, view: Size, size: Size, padding: str) -> Tensor:
    """Give each output pixel the value of the nearest input pixel; see `resample` for arguments and result."""
    return F.grid_sample(
        raw.float(),
        _grid(matrices, view, size, (raw.shape[2], raw.shape[3])),
        mode="nearest",
        padding_mode=PADDINGS[padding],
        align_corners=False,
    )


def _grid(matrices: Tensor, view: Size, size: Size, source: Size) -> Tensor:
    """Return the position of each output pixel in the source, from -1 to 1: (batch, *size, 2), x first."""
    device = matrices.device
    x, y = pixel_centres(size[1], view[1], device), pixel_centres(size[0], view[0], device)
    to_unit = constant(((2 / source[1],), (2 / source[0],), (1,)), device)
    a, b, c = (matrices * to_unit)[:, :, :, None, None].unbind(2)
    # The sum of a term in x and a term in y is faster than a matrix product for each pixel.
    positions = (a * x) + (b * y[:, None] + c)  # (batch, 3, *size)
    # A strong perspective can show the horizon. The clamp puts pixels on and behind it far away from the image.
    return positions[:, :2].div_(positions[:, 2:].clamp_min_(1e-3)).permute(0, 2, 3, 1)


def move_whole_pixels(raw: Tensor, matrices: Tensor, view: Size, padding: str) -> Tensor:
    """Mirror images and shift them by whole pixels: each output pixel inside the source is an input pixel, bit for bit.

    Args:
        raw: (batch, channels, height, width).
        matrices: (batch, 3, 3), with 1 or -1 on the diagonal and whole numbers in the last column.
        view: height and width of the output.
        padding: zero, mirror or border.

    Returns:
        (batch, channels, *view), of the type of `raw`.
    """
    rows, rows_inside = _indices(matrices[:, 1, 1], matrices[:, 1, 2], view[0], raw.shape[2], padding)
    columns, columns_inside = _indices(matrices[:, 0, 0], matrices[:, 0, 2], view[1], raw.shape[3], padding)
    batch = torch.arange(len(raw), device=raw.device)[:, None, None]
    # Channels last, so that one index selects all channels of a pixel.
    moved = raw.permute(0, 2, 3, 1)[batch, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
    if padding == "zero":
        moved = moved * (rows_inside[:, :, None] & columns_inside[:, None, :])[:, None]
    return moved.contiguous()


def _indices(sign: Tensor, offset: Tensor, length: int, source: int, padding: str) -> tuple[Tensor, Tensor]:
    """Return, along one axis, the source index of each output pixel, and whether it is inside: (batch, length) each."""
    centred = torch.arange(length, device=sign.device) - (length - 1) / 2
    index = (sign[:, None] * centred + offset[:, None] + (source - 1) / 2).round().long()
    inside = (index >= 0) & (index < source)
    if padding == "mirror":
        index = index % (2 * source)
        index = torch.minimum(index, 2 * source - 1 - index)
    return index.clamp(0, source - 1), inside
