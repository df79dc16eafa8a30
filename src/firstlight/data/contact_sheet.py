"""Many small images on one, and that in a file."""

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
_LEAST_SIDE = 64  # smaller images are enlarged, pixel by pixel


def contact_sheet(images: Tensor, captions: Sequence[str] | None = None, columns: int = 8) -> Image.Image:
    """Images in rows, from left to right.

    Args:
        images: (images, channels, height, width), from 0 to 1; where there are not three channels, the first is
            shown.
        captions: a text below each, of one line or more; where one is wider than the images, columns are as wide.
        columns: images in a row.
    """
    times = math.ceil(_LEAST_SIDE / min(images.shape[2:]))
    pixels = (images.float().cpu() * 255).round().to(torch.uint8)
    pixels = pixels if pixels.shape[1] == 3 else pixels[:, :1].expand(-1, 3, -1, -1)
    pixels = pixels.repeat_interleave(times, 2).repeat_interleave(times, 3)
    rows = math.ceil(len(pixels) / columns)
    draw = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    boxes = [draw.multiline_textbbox((0, 0), caption) for caption in captions or ()]
    width = _GAP + math.ceil(max([pixels.shape[3], *(right for _, _, right, _ in boxes)]))
    height = _GAP + pixels.shape[2] + math.ceil(max([0, *(bottom for _, _, _, bottom in boxes)]))
    sheet = Image.new("RGB", (columns * width + _GAP, rows * height + _GAP), "white")
    draw = ImageDraw.Draw(sheet)
    for place, image in enumerate(pixels):
        left, top = _GAP + place % columns * width, _GAP + place // columns * height
        sheet.paste(Image.fromarray(np.ascontiguousarray(image.permute(1, 2, 0).numpy())), (left, top))
        if captions is not None:
            draw.multiline_text((left, top + pixels.shape[2]), captions[place], "black")
    return sheet


def check_format(key: str, path: Path) -> None:
    """Refuse the path of an image, named by the user with `key`, whose suffix is none of `FORMATS`."""
    if path.suffix.lower() not in FORMATS:
        raise ValueError(f"{key}={path}: images are written as {', '.join(FORMATS)}.")


def write_image(path: Path, image: Image.Image) -> None:
    """Put an image into `path`, all or nothing, in the format that its suffix says."""
    with atomic_write(path) as file:
        image.save(file, FORMATS[path.suffix.lower()], quality=95)
