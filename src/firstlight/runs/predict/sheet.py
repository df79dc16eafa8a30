"""The contact sheet of predictions: the first images, each with its result."""

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor
from torch.nn import functional as F

from firstlight.checks import printable
from firstlight.data.images.contact_sheet import contact_sheet
from firstlight.files import atomic_write

MAX_SHOWN = 64  # images on the contact sheet
_SIDE = 128  # largest height and width of an image on the contact sheet, in pixels
_MARK = ("Software", "firstlight predictions")  # metadata of the PNG file, by which `is_sheet` knows it


class Sheet:
    """Collects the first images and their captions for a contact sheet."""

    def __init__(self) -> None:
        self.images: list[Tensor] = []
        self.captions: list[str] = []

    @property
    def is_full(self) -> bool:
        """Whether the sheet takes no more images."""
        return len(self.captions) >= MAX_SHOWN

    def add(self, raw: Tensor, results: Sequence[tuple[str, ...]], example: Tensor | None = None) -> None:
        """Add images as far as they fit on the sheet.

        Args:
            raw: (batch, channels, height, width), uint8.
            results: short texts about each image.
            example: images to show instead, from 0 to 1: the same number for each image of the batch.
        """
        images = raw.float() / 255 if example is None else example
        per_input = len(images) // len(raw)
        captions = [[printable(" ".join(map(str.strip, cells))), *[""] * (per_input - 1)] for cells in results]
        free = MAX_SHOWN - len(self.captions)
        self.images.append(shrink(images[:free]))
        self.captions += [caption for group in captions for caption in group][:free]

    def write(self, path: Path) -> None:
        """Write the sheet as a PNG file, atomically."""
        metadata = PngInfo()
        metadata.add_text(*_MARK)
        sheet = contact_sheet(torch.cat(self.images), self.captions)
        with atomic_write(path) as file:
            sheet.save(file, "png", pnginfo=metadata)


def shrink(images: Tensor) -> Tensor:
    """Shrink images (batch, channels, height, width), from 0 to 1, to the largest size on the contact sheet."""
    height, width = images.shape[2:]
    scale = _SIDE / max(height, width)
    if scale >= 1:
        return images
    size = max(1, round(height * scale)), max(1, round(width * scale))
    return F.interpolate(images, size, mode="bilinear", antialias=True)


def is_sheet(path: Path) -> bool:
    """Return whether `Sheet` has written this file."""
    try:
        with Image.open(path, formats=["PNG"]) as image:
            return image.info.get(_MARK[0]) == _MARK[1]
    except (OSError, Image.DecompressionBombError):
        return False
