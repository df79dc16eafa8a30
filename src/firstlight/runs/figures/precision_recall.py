"""Precision-recall curves: what each class gains and loses with its threshold."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from firstlight.runs.figures.canvas import BLACK, COLOURS, new_figure
from firstlight.runs.figures.confusion import shorten
from firstlight.tasks.metrics.ranking import average_precision, precision_recall_curve

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_CURVES = 10
_MAX_POINTS = 200  # of a curve
_GRID = np.linspace(0, 1, 101)  # recalls at which the mean of the classes is drawn
_STYLES = ("-", "--")


def precision_recall(probabilities: Any, targets: Any, labels: Sequence[str]) -> "Figure":
    """Draw the precision-recall curve of each class against the others, and their mean.

    Of more than 10 classes, those with the lowest average precision have curves; the mean is over all.

    Args:
        probabilities: (samples, classes).
        targets: (samples,), the true classes.
        labels: the names of the classes.
    """
    probabilities, targets = np.asarray(probabilities), np.asarray(targets)
    present = np.unique(targets)
    found = {index: (average_precision(probabilities[:, index], targets == index), index) for index in present.tolist()}
    worst = sorted(found, key=lambda index: found[index])[:MAX_CURVES]
    figure = new_figure(5.6, 4.4)
    axes = figure.subplots()
    sampled = []
    for index in present.tolist():
        precision, recall = precision_recall_curve(probabilities[:, index], targets == index)
        sampled.append(_at(precision, recall))
        if index in worst:
            place = worst.index(index)
            axes.plot(
                *_thinned(recall, precision),
                color=COLOURS[place % (len(COLOURS) - 1)],
                linestyle=_STYLES[place // (len(COLOURS) - 1)],
                label=f"{shorten(labels[index])} {found[index][0]:.3f}",
            )
    macro = float(np.mean([value for value, _ in found.values()])) if found else float("nan")
    if sampled:
        axes.plot(_GRID, np.mean(sampled, axis=0), color=BLACK, linewidth=2, label=f"mean of all {macro:.3f}")
        style: Any = {"fontsize": "small", "title_fontsize": "small", "loc": "lower left", "frameon": False}
        axes.legend(title="average precision", **style)
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1.01), ylim=(0, 1.02))
    axes.grid(alpha=0.3)
    return figure


def _at(precision: Any, recall: Any) -> Any:
    """Return the highest precision at each recall of the grid or a higher one: (101,)."""
    highest = np.maximum.accumulate(precision[::-1])[::-1]
    return highest[np.searchsorted(recall, _GRID).clip(max=len(recall) - 1)]


def _thinned(recall: Any, precision: Any) -> tuple[Any, Any]:
    kept = np.unique(np.linspace(0, len(recall) - 1, _MAX_POINTS).astype(int))
    return recall[kept], precision[kept]
