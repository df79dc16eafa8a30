"""The worst mistakes: images with their truth and prediction."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from firstlight.runs.figures.canvas import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_MISTAKES = 24
_COLUMNS = 6
_SIDE, _GAP, _CAPTION, _TITLE = 1.5, 0.45, 0.5, 0.4  # inches


def mistakes(images: Any, captions: Sequence[str], title: str = "") -> "Figure":
    """Draw images in rows, each with a caption above it.

    Args:
        images: (images, channels, height, width), from 0 to 1, at least one. If there are not three channels, the first
            is shown in grey.
        captions: the truth, the prediction and its confidence, in one or two lines.
        title: the text above all images.
    """
    images = np.asarray(images, np.float32).clip(0, 1)
    columns, rows = min(_COLUMNS, len(images)), math.ceil(len(images) / _COLUMNS)
    width, height = max(4.0, columns * (_SIDE + _GAP)), rows * (_SIDE + _CAPTION) + _TITLE
    figure = new_figure(width, height)
    figure.set_layout_engine("none")  # the places are known, and to look for them takes long
    axes = figure.add_axes((0, 0, 1, 1))  # one for all images, because each costs 20 ms
    axes.text(width / 2, height - _TITLE / 2, title, ha="center", va="center", fontsize=10)
    for index, (image, caption) in enumerate(zip(images, captions, strict=True)):
        left = (index % columns + 0.5) * width / columns - _SIDE / 2
        top = height - _TITLE - _CAPTION - index // columns * (_SIDE + _CAPTION)
        _draw(axes, image, left, top)
        axes.text(left + _SIDE / 2, top + 0.04, caption, ha="center", va="bottom", fontsize=9)
    axes.set(xlim=(0, width), ylim=(0, height))
    axes.axis("off")
    return figure


def _draw(axes: Any, image: Any, left: float, top: float) -> None:
    """Draw an image (channels, height, width) at a place in inches, with its own proportions."""
    pixels = image.transpose(1, 2, 0) if len(image) == 3 else image[0]
    height, width = (_SIDE * side / max(pixels.shape[:2]) for side in pixels.shape[:2])
    left += (_SIDE - width) / 2
    smooth = {} if max(pixels.shape[:2]) > _SIDE * 100 else {"interpolation": "nearest"}
    axes.imshow(pixels, cmap="gray", vmin=0, vmax=1, extent=(left, left + width, top - height, top), **smooth)
