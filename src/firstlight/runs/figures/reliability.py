"""The reliability diagram: how often a classifier is right, by its confidence."""

from typing import TYPE_CHECKING, Any

import numpy as np

from firstlight.runs.figures.canvas import BLUE, ORANGE, new_figure
from firstlight.tasks.metrics.calibration import Calibration

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def reliability(confidences: Any, correct: Any) -> "Figure":
    """Draw accuracy over confidence, and how many samples have which confidence.

    A calibrated classifier is right in 80 % of the samples to which it gives a probability of 80 %: its points lie on
    the diagonal. The title has the expected calibration error, see `Calibration`.

    Args:
        confidences: (samples,), the probability of the predicted class.
        correct: (samples,), whether the prediction is correct.
    """
    found = Calibration.of(confidences, correct)
    edges = np.linspace(0, 1, len(found.counts) + 1)
    filled = found.counts > 0
    figure = new_figure(4.2, 5)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    upper.plot([0, 1], [0, 1], color="gray", linestyle="--", linewidth=1, label="calibrated")
    upper.vlines(found.confidence[filled], found.confidence[filled], found.accuracy[filled], color=ORANGE, label="gap")
    upper.plot(found.confidence[filled], found.accuracy[filled], "o", color=BLUE, label="bin of samples")
    upper.set(ylabel="accuracy", ylim=(0, 1.02), title=f"expected calibration error {found.error:.4f}")
    # Outside of the axes, because points may lie anywhere along the diagonal, with gaps on both sides.
    figure.legend(fontsize="small", loc="outside lower center", ncols=3, frameon=False)
    lower.bar(edges[:-1], found.counts, np.diff(edges), align="edge", color=BLUE)
    lower.set(xlabel="confidence", ylabel="samples", xlim=(0, 1), yscale="symlog")
    for axes in (upper, lower):
        axes.grid(alpha=0.3)
    return figure
