"""The range test of the learning rate: the loss at each learning rate."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from firstlight.runs.figures.canvas import BLUE, GREEN, ORANGE, SKY, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def range_test_figure(
    lrs: Sequence[float], losses: Sequence[float], smoothed: np.ndarray, suggestion: float | None, used: float | None
) -> "Figure":
    """Draw the loss over the learning rate, on a logarithmic axis.

    Args:
        lrs: (steps,), at least one.
        losses: (steps,), the loss at each learning rate.
        smoothed: (steps,), the smoothed losses.
        suggestion: the suggested learning rate, which gets a line; None for no line.
        used: the learning rate of the run, which gets a dotted line; None for no line.
    """
    figure = new_figure(6.4, 4.0)
    axes = figure.subplots()
    axes.plot(lrs, losses, color=SKY, alpha=0.6, linewidth=1, label="loss of each batch")
    axes.plot(lrs, smoothed, color=BLUE, linewidth=2, label="smoothed")
    if suggestion is not None:
        axes.axvline(suggestion, color=ORANGE, label=f"suggested: {suggestion:.2g}")
    if used:
        axes.axvline(used, color=GREEN, linestyle=":", label=f"of this run: {used:g}")
    axes.set(xscale="log", xlabel="learning rate", ylabel="training loss")
    low, start = float(smoothed.min()), float(smoothed[0])
    axes.set_ylim(low - 0.1 * (start - low) - 1e-9, start + 0.7 * max(start - low, 0.1 * abs(start)) + 1e-9)
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small", frameon=False)
    return figure
