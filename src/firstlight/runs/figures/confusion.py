"""The confusion matrix: which class is predicted for which."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from firstlight.checks import printable
from firstlight.runs.figures.canvas import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_COUNTED = 30  # classes up to which the cells contain their counts
_MAX_TICKS = 50  # labels on an axis
_LONGEST = 16  # characters of a label
_POINTS = 72  # in an inch, the unit of fonts
# Not black, which becomes the colour of a page's text: the cells are light or dark on every page.
_DARK, _LIGHT = "#222222", "#ffffff"


def confusion(counts: Any, labels: Sequence[str]) -> "Figure":
    """Draw a confusion matrix. The colour of a cell is its fraction of the row, the samples of the true class.

    The scale of the colours is that of the square root, so that a few mistakes are visible among many samples.

    Args:
        counts: (classes, classes), samples; rows are true classes, columns predicted ones.
        labels: the names of the classes.
    """
    from matplotlib.colors import PowerNorm

    counts = np.asarray(counts)
    fractions = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    size = len(counts)
    side = min(12.0, 3.2 + 0.36 * size)
    figure = new_figure(side + 1, side)
    axes = figure.subplots()
    image = axes.imshow(fractions, cmap="Blues", norm=PowerNorm(0.5, 0, 1))
    figure.colorbar(image, ax=axes, label="fraction of the true class", fraction=0.04)
    axes.set(xlabel="predicted class", ylabel="true class", title=_title(counts))
    step = -(-size // _MAX_TICKS)
    names = [shorten(label) for label in labels[::step]]
    cell = _POINTS * (side - 2) / size * step
    font = min(10.0, 0.6 * cell)
    upright = 90 if max(map(len, names)) * font * 0.6 > cell else 0
    axes.set_xticks(range(0, size, step), names, rotation=upright, fontsize=font)
    axes.set_yticks(range(0, size, step), names, fontsize=font)
    if size <= MAX_COUNTED:
        for row, column in zip(*counts.nonzero(), strict=True):
            colour = _LIGHT if fractions[row, column] > 0.3 else _DARK
            text = f"{counts[row, column]}"
            axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=min(font, 36 / len(text)))
    return figure


def _title(counts: Any) -> str:
    total = int(counts.sum())
    return f"{total:,} samples, accuracy {counts.trace() / max(total, 1):.2%}"


def shorten(label: str) -> str:
    """Return a label in one line of 16 characters at most, in which matplotlib finds no mathematics."""
    return printable(label, _LONGEST).replace("$", r"\$")
