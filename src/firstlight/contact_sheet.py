"""Many small pictures on one."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

_GAP = 4  # pixels between pictures
_LEAST_SIDE = 64  # smaller pictures are enlarged, pixel by pixel


def contact_sheet(pictures: Tensor, captions: Sequence[str] | None = None, columns: int = 8) -> Image.Image:
    """Pictures in rows, from left to right.

    Args:
        pictures: (pictures, channels, height, width), from 0 to 1; where there are not three channels, the first is
            shown.
        captions: a text below each.
        columns: pictures in a row.
    """
    times = math.ceil(_LEAST_SIDE / min(pictures.shape[2:]))
    pixels = (pictures.float().cpu() * 255).round().to(torch.uint8)
    pixels = pixels if pixels.shape[1] == 3 else pixels[:, :1].expand(-1, 3, -1, -1)
    pixels = pixels.repeat_interleave(times, 2).repeat_interleave(times, 3)
    font = ImageFont.load_default()
    text_height = 0 if captions is None else math.ceil(sum(font.getmetrics())) if hasattr(font, "getmetrics") else 12
    width, height = pixels.shape[3] + _GAP, pixels.shape[2] + _GAP + text_height
    rows = math.ceil(len(pixels) / columns)
    sheet = Image.new("RGB", (columns * width + _GAP, rows * height + _GAP), "white")
    draw = ImageDraw.Draw(sheet)
    for place, picture in enumerate(pixels):
        left, top = _GAP + place % columns * width, _GAP + place // columns * height
        sheet.paste(Image.fromarray(np.ascontiguousarray(picture.permute(1, 2, 0).numpy())), (left, top))
        if captions is not None:
            draw.text((left, top + pixels.shape[2]), _fitted(captions[place], width - _GAP, font), "black", font)
    return sheet


def _fitted(text: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """As much of the text as is no wider than `width` pixels."""
    while text and font.getlength(text) > width:
        text = text[:-1]
    return text
