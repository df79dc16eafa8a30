"""Contact sheets: many small images on one large image, which is written to a file."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from firstlight.files import atomic_write

FORMATS = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp"}
_GAP = 4  # pixels between images
_MIN_SIDE = 64  # smaller images are enlarged by repeating pixels


def contact_sheet(images: Tensor, captions: Sequence[str] | None = None, columns: int = 8) -> Image.Image:
    """Arrange images in rows, from left to right.

    Args:
        images: (images, channels, height, width), from 0 to 1. If there are not three channels, the first is shown.
        captions: a text below each image, of one or more lines. The widest caption or image sets the column width.
        columns: number of images in a row.
    """
    factor = math.ceil(_MIN_SIDE / min(images.shape[2:]))
    pixels = (images.float().cpu() * 255).round().to(torch.uint8)
    pixels = pixels if pixels.shape[1] == 3 else pixels[:, :1].expand(-1, 3, -1, -1)
    pixels = pixels.repeat_interleave(factor, 2).repeat_interleave(factor, 3)
    rows = math.ceil(len(pixels) / columns)
    draw = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    boxes = [draw.multiline_textbbox((0, 0), caption) for caption in captions or ()]
    width = _GAP + math.ceil(max([pixels.shape[3], *(right for _, _, right, _ in boxes)]))
    height = _GAP + pixels.shape[2] + math.ceil(max([0, *(bottom for _, _, _, bottom in boxes)]))
    sheet = Image.new("RGB", (columns * width + _GAP, rows * height + _GAP), "white")
    draw = ImageDraw.Draw(sheet)
    for index, image in enumerate(pixels):
        left, top = _GAP + index % columns * width, _GAP + index // columns * height
        sheet.paste(Image.fromarray(np.ascontiguousarray(image.permute(1, 2, 0).numpy())), (left, top))
        if captions is not None:
            draw.multiline_text((left, top + pixels.shape[2]), captions[index], "black")
    return sheet


def check_format(key: str, path: Path) -> None:
    """Check that an image can be written to a path, by its suffix.

    Args:
        key: the key of the config that holds the path, for the message.
        path: the path of the image.

    Raises:
        ValueError: the suffix is not among `FORMATS`.
    """
    if path.suffix.lower() not in FORMATS:
        raise ValueError(f"{key}={path}: must end in one of {', '.join(FORMATS)}.")


def write_image(path: Path, image: Image.Image) -> None:
    """Write an image to `path` atomically, in the format of its suffix."""
    with atomic_write(path) as file:
        image.save(file, FORMATS[path.suffix.lower()], quality=95)
