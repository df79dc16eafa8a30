"""Figures of images: a row of panels for each sample."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from firstlight.runs.figures.canvas import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SIDE = 2.4  # inches of a panel
_MIN_SIDE = 24  # columns of a channel in a mosaic; smaller ones are enlarged by repeating pixels
_TOP = 0.5  # inches of the titles


class Panel(NamedTuple):
    """An image of a figure.

    Attributes:
        title: one or more lines above it.
        pixels: (channels, height, width), from 0 to 1, or values (height, width) that get the colours of `viridis`.
        scale: what the values mean, for a colour bar beside them; empty for no bar.
        limit: the value of the lightest colour; None for the largest.
    """

    title: str
    pixels: Tensor
    scale: str = ""
    limit: float | None = None


def draw_panels(rows: Sequence[Sequence[Panel]]) -> "Figure":
    """Return a figure of panels.

    Args:
        rows: the panels of each sample.
    """
    columns = max(map(len, rows))
    figure = new_figure(_SIDE * columns, (_SIDE + _TOP) * len(rows))
    for place, panels in enumerate(rows):
        for column, panel in enumerate(panels):
            axes = figure.add_subplot(len(rows), columns, place * columns + column + 1)
            axes.set_title(panel.title, fontsize=8, parse_math=False)
            axes.set_axis_off()
            drawn = axes.imshow(
                _as_pixels(panel.pixels),
                cmap="viridis",
                vmin=0 if panel.limit else None,
                vmax=panel.limit,
                interpolation="nearest",
            )
            if panel.scale:
                figure.colorbar(drawn, ax=axes, shrink=0.8).set_label(panel.scale, fontsize=8)
    return figure


def mosaic(values: Tensor) -> Tensor:
    """Return channels (channels, height, width) side by side, two in a row, each from 0 to 1, with gaps of NaN."""
    low, high = values.amin((1, 2), keepdim=True), values.amax((1, 2), keepdim=True)
    scaled = (values - low) / (high - low).clamp_min(1e-12)
    factor = math.ceil(_MIN_SIDE / values.shape[2])
    scaled = scaled.repeat_interleave(factor, 1).repeat_interleave(factor, 2)
    gap = scaled.shape[2] // _MIN_SIDE
    framed = torch.nn.functional.pad(scaled, (0, gap, 0, gap), value=float("nan"))
    missing = torch.full_like(framed[:1], float("nan")).expand(len(framed) % 2, -1, -1)
    pairs = torch.cat([framed, missing]).unflatten(0, (-1, 2))  # (rows, 2, height, width)
    return pairs.permute(0, 2, 1, 3).flatten(2).flatten(0, 1)[:-gap, :-gap]


def _as_pixels(image: Tensor) -> np.ndarray:
    """Return an image as matplotlib takes it: (height, width) or (height, width, 3)."""
    if image.ndim == 3:
        image = (image if image.shape[0] == 3 else image[:1].expand(3, -1, -1)).permute(1, 2, 0).clamp(0, 1)
    return image.numpy()
