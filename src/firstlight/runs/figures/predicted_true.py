"""Predicted against true numbers of a regression."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from firstlight.runs.figures.canvas import BLUE, new_figure
from firstlight.runs.figures.confusion import shorten

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MAX_PANELS = 9
_MAX_POINTS = 2000


def predicted_true(predicted: Any, true: Any, labels: Sequence[str]) -> "Figure":
    """Draw a panel for each target, with a point for each sample. Perfect predictions lie on the diagonal.

    Of many samples, 2000 that are evenly spaced are drawn; of many targets, the first nine.

    Args:
        predicted: (samples, targets), in the units of the data, at least one sample.
        true: (samples, targets).
        labels: the names of the targets.
    """
    predicted, true = np.asarray(predicted, np.float64), np.asarray(true, np.float64)
    shown = np.unique(np.linspace(0, len(true) - 1, min(len(true), _MAX_POINTS)).astype(int))
    panels = min(len(labels), _MAX_PANELS)
    columns = min(3, panels)
    rows = math.ceil(panels / columns)
    figure = new_figure(4.2 * columns, 4 * rows)
    grid = figure.subplots(rows, columns, squeeze=False).flatten()
    for index, axes in enumerate(grid[:panels]):
        x, y = true[shown, index], predicted[shown, index]
        rmse = math.sqrt(float(np.mean((predicted[:, index] - true[:, index]) ** 2)))
        axes.scatter(x, y, s=10, color=BLUE, alpha=0.5, linewidths=0)
        axes.axline((x[0], x[0]), slope=1, color="gray", linestyle="--", linewidth=1)
        name = shorten(labels[index])
        axes.set(xlabel=f"true {name}", ylabel=f"predicted {name}", title=f"RMSE {rmse:.4g}")
        axes.grid(alpha=0.3)
    for axes in grid[panels:]:
        axes.axis("off")
    return figure
