"""The mask of an image of any size: windows cover it, and each is what the network saw of an image in training."""

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from firstlight.spec import DataSpec
from firstlight.tasks import Segmentation

_BATCH = 16  # windows that pass through the network at a time
_NUMBERS = 2**24  # logits that are resized at a time
_ROUNDING = 1e-6  # of a number of windows


class Side(NamedTuple):
    """A window along one axis: its first pixel and its length, and the pixels whose classes it decides."""

    start: float
    length: float
    begin: int
    end: int


@torch.inference_mode()
def mask_of(task: Segmentation, image: Image.Image, interpolation: str, *, inverted: bool = False) -> np.ndarray:
    """Return the class of each pixel of an image (height, width), uint8.

    In training, an image was cropped, padded or stretched to the shape of the network. Here windows of the same shape
    and scale cover the image, all of it, and each pixel gets its class from the window whose centre is nearest.

    Args:
        task: the trained task.
        image: an upright image, of mode "L" or "RGB" as the network's.
        interpolation: how images are resized.
        inverted: whether black and white are exchanged.
    """
    spec, method = task.spec, Image.Resampling[interpolation.upper()]
    canvas, (left, top) = _padded(image, spec)
    rows, columns = _sides(canvas.size, spec)
    mask = np.empty((canvas.height, canvas.width), np.uint8)
    windows = [(row, column) for row in rows for column in columns]
    for first in range(0, len(windows), _BATCH):
        chosen = windows[first : first + _BATCH]
        pixels = np.stack([_resized(canvas, row, column, spec, method) for row, column in chosen])
        raw = torch.from_numpy(255 - pixels if inverted else pixels).to(task.device)
        for (row, column), logits in zip(chosen, task.logits(raw), strict=True):
            for begin, end in _bands(row, column, len(logits)):
                mask[begin:end, column.begin : column.end] = _classes(logits, row, column, begin, end)
    return mask[top : top + image.height, left : left + image.width]


def _padded(image: Image.Image, spec: DataSpec) -> tuple[Image.Image, tuple[int, int]]:
    """Return the image with black around it, if images were padded in training, and its left and top edge therein."""
    if spec.fit != "pad":
        return image, (0, 0)
    ratio = spec.stored_shape[2] / spec.stored_shape[1]
    size = max(image.width, round(image.height * ratio)), max(image.height, round(image.width / ratio))
    place = (size[0] - image.width) // 2, (size[1] - image.height) // 2
    canvas = Image.new(image.mode, size)
    canvas.paste(image, place)
    return canvas, place


def _sides(size: tuple[int, int], spec: DataSpec) -> tuple[list[Side], list[Side]]:
    """Return the windows along the rows' axis and the columns' axis of a canvas of this width and height."""
    width, height = size
    _, stored_height, stored_width = spec.stored_shape
    seen = float(width), float(height)
    if spec.fit == "crop":
        ratio = stored_width / stored_height
        seen = min(width, height * ratio), min(height, width / ratio)
    # The network sees a stored image without its margin.
    lengths = seen[0] * spec.image_size[1] / stored_width, seen[1] * spec.image_size[0] / stored_height
    return _cover(height, lengths[1]), _cover(width, lengths[0])


def _cover(whole: int, length: float) -> list[Side]:
    """Return windows of a length, evenly spaced from end to end; neighbours divide their overlap equally."""
    number = math.ceil(whole / length - _ROUNDING)
    starts = [place * (whole - length) / max(1, number - 1) for place in range(number)]
    borders = [0, *(round((one + length + other) / 2) for one, other in pairwise(starts)), whole]
    return [Side(start, length, *ends) for start, ends in zip(starts, pairwise(borders), strict=True)]


def _resized(canvas: Image.Image, row: Side, column: Side, spec: DataSpec, method: Image.Resampling) -> np.ndarray:
    """Return a window as the network sees it: (channels, height, width), uint8."""
    right, bottom = min(canvas.width, column.start + column.length), min(canvas.height, row.start + row.length)
    height, width = spec.image_size
    pixels = np.asarray(canvas.resize((width, height), method, box=(column.start, row.start, right, bottom)))
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _bands(row: Side, column: Side, classes: int) -> Iterator[tuple[int, int]]:
    """Yield the first and last row, exclusive, of parts of a window that take bounded memory."""
    rows = max(1, _NUMBERS // (classes * max(1, column.end - column.begin)))
    for begin in range(row.begin, row.end, rows):
        yield begin, min(begin + rows, row.end)


def _classes(logits: Tensor, row: Side, column: Side, begin: int, end: int) -> np.ndarray:
    """Return the classes of the pixels in some rows of a window, from its logits (classes, height, width)."""
    y = (torch.arange(begin, end) + 0.5 - row.start) / row.length
    x = (torch.arange(column.begin, column.end) + 0.5 - column.start) / column.length
    grid = torch.stack(torch.meshgrid(2 * x - 1, 2 * y - 1, indexing="xy"), 2).float().to(logits.device)
    found = F.grid_sample(logits[None], grid[None], padding_mode="border", align_corners=False)
    return found[0].argmax(0).to(torch.uint8).cpu().numpy()
