"""Pixels at new places: the one resampling of a pipeline, or none where whole pixels move."""

import torch
from torch import Tensor
from torch.nn import functional as F

from firstlight.augment.constant import constant, pixel_centres
from firstlight.augment.step import Size

# What stands beyond the edge: the names in YAML, and those of torch.
PADDINGS = {"zero": "zeros", "mirror": "reflection", "border": "border"}


def resample(raw: Tensor, matrices: Tensor, view: Size, size: Size, padding: str) -> Tensor:
    """Bilinear samples of images at the places that matrices tell.

    Args:
        raw: (batch, channels, height, width), of any type.
        matrices: (batch, 3, 3), see `matrices`; in pixels of `raw`, around its centre.
        view: height and width of the part, at the centre of `raw`, that becomes the output where nothing moves.
        size: height and width of the output.
        padding: zero, mirror or border.

    Returns:
        (batch, channels, *size), float32, on the scale of `raw`.
    """
    height, width = raw.shape[-2:]
    images = raw.float()
    shrinking = max(view[0] / size[0], view[1] / size[1])
    if shrinking >= 2:  # beyond that, four neighbours see too little of what becomes one pixel
        small = (round(height * size[0] / view[0]), round(width * size[1] / view[1]))
        images = F.interpolate(images, small, mode="bilinear", antialias=True)
    return F.grid_sample(
        images,
        _grid(matrices, view, size, (height, width)),
        mode="bilinear",
        padding_mode=PADDINGS[padding],
        align_corners=False,
    )


def _grid(matrices: Tensor, view: Size, size: Size, source: Size) -> Tensor:
    """Where each output pixel comes from, from -1 to 1 over the source: (batch, *size, 2)."""
    device = matrices.device
    x, y = pixel_centres(size[1], view[1], device), pixel_centres(size[0], view[0], device)
    to_unit = constant(((2 / source[1],), (2 / source[0],), (1,)), device)
    a, b, c = (matrices * to_unit)[:, :, :, None, None].unbind(2)
    # A sum of what depends on x and what depends on y: no product of matrices over all pixels.
    places = (a * x) + (b * y[:, None] + c)  # (batch, 3, *size)
    # A horizon comes into view where a perspective is zoomed out: what lies on it or behind it is far away.
    return places[:, :2].div_(places[:, 2:].clamp_min_(1e-3)).permute(0, 2, 3, 1)


def move_whole_pixels(raw: Tensor, matrices: Tensor, view: Size, padding: str) -> Tensor:
    """The same for matrices that mirror and shift by whole pixels: every output pixel is an input pixel, bit for bit.

    Args:
        raw: (batch, channels, height, width).
        matrices: (batch, 3, 3), with 1 or -1 in the diagonal and whole numbers in the last column.
        view: height and width of the output.
        padding: zero, mirror or border.

    Returns:
        (batch, channels, *view), of the type of `raw`.
    """
    rows, rows_inside = _indices(matrices[:, 1, 1], matrices[:, 1, 2], view[0], raw.shape[2], padding)
    columns, columns_inside = _indices(matrices[:, 0, 0], matrices[:, 0, 2], view[1], raw.shape[3], padding)
    batch = torch.arange(len(raw), device=raw.device)[:, None, None]
    # Channels go along: one index for all of them.
    moved = raw.permute(0, 2, 3, 1)[batch, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
    if padding == "zero":
        moved = moved * (rows_inside[:, :, None] & columns_inside[:, None, :])[:, None]
    return moved.contiguous()


def _indices(sign: Tensor, offset: Tensor, length: int, source: int, padding: str) -> tuple[Tensor, Tensor]:
    """Along one axis: which source pixel each output pixel is, and whether it lies in the source: (batch, length)."""
    centred = torch.arange(length, device=sign.device) - (length - 1) / 2
    index = (sign[:, None] * centred + offset[:, None] + (source - 1) / 2).round().long()
    inside = (index >= 0) & (index < source)
    if padding == "mirror":
        index = index % (2 * source)
        index = torch.minimum(index, 2 * source - 1 - index)
    return index.clamp(0, source - 1), inside
