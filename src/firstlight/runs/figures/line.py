"""A straight line that learns: points, lines, and the path of slope and intercept over the mean squared error."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from firstlight.runs.figures.canvas import BLACK, BLUE, ORANGE, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NUM_LINES = 6
_GRID = 80


def line_figure(x: np.ndarray, y: np.ndarray, path: Sequence[Sequence[float]], label: str = "y") -> "Figure":
    """Draw the points with the lines of several epochs, and the path of (slope, intercept) over the error.

    Args:
        x: (points,).
        y: (points,).
        path: (epochs + 1, 2), slope and intercept at the start and after each epoch, at least one.
        label: the name of y.
    """
    figure = new_figure(9.6, 4.2)
    left, right = figure.subplots(1, 2)
    steps = np.asarray(path, dtype=float)
    left.scatter(x, y, s=14, color=BLACK, alpha=0.6, linewidths=0)
    ends = np.array([x.min() - 0.1, x.max() + 0.1])
    chosen = np.unique(np.geomspace(1, len(steps), min(_NUM_LINES, len(steps))).astype(int) - 1)
    for place, epoch in enumerate(chosen):
        is_last = place == len(chosen) - 1
        style = (
            {"color": ORANGE, "linewidth": 2} if is_last else {"color": BLUE, "alpha": 0.25 + 0.5 * place / len(chosen)}
        )
        left.plot(ends, steps[epoch, 0] * ends + steps[epoch, 1], label=f"epoch {epoch}", **style)
    left.set(xlabel="x", ylabel=label.replace("$", r"\$"))
    left.legend(fontsize="small", frameon=False)
    _draw_path(right, x, y, steps)
    return figure


def _draw_path(axes: Any, x: np.ndarray, y: np.ndarray, steps: np.ndarray) -> None:
    low, high = steps.min(0), steps.max(0)
    margin = np.maximum(0.25 * (high - low), 0.5)
    slopes, intercepts = (np.linspace(low[i] - margin[i], high[i] + margin[i], _GRID) for i in (0, 1))
    m, b = np.meshgrid(slopes, intercepts)
    # The mean of (y - m x - b)² needs only the means of products of x and y.
    xx, xy, yy = (x * x).mean(), (x * y).mean(), (y * y).mean()
    error = yy + m * m * xx + b * b - 2 * m * xy - 2 * b * y.mean() + 2 * m * b * x.mean()
    axes.contour(m, b, np.log10(np.maximum(error, 1e-6)), levels=12, cmap="Greys", linewidths=0.8)
    axes.plot(steps[:, 0], steps[:, 1], color=BLUE, marker="o", markersize=3)
    axes.plot(*steps[0], marker="s", color=BLACK, linestyle="none", label="start")
    axes.plot(*steps[-1], marker="o", color=ORANGE, linestyle="none", label="end")
    axes.set(xlabel="slope m", ylabel="intercept b", title="path over the mean squared error")
    axes.legend(fontsize="small", frameon=False)
