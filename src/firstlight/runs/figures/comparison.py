"""Learning curves of several runs over each other."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from firstlight.runs.figures.canvas import COLOURS, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_RUNS = 12  # more lines in one panel have no colour and style of their own
_MAX_PANELS = 12
_STYLES = ("-", "--", "-.", ":")  # with the six colours, the pairs repeat after twelve runs
_OWN = ("epoch", "step", "seconds", "lr")


def comparison(runs: Mapping[str, Sequence[Mapping[str, Any]]]) -> "Figure":
    """Draw a panel for each metric of each split, with a line for each run that has it.

    Each run has a colour and a line style of its own, the same in all panels.

    Args:
        runs: the rows of metrics.csv by the name of the run; at most `MAX_RUNS`, one of them with a row.
    """
    columns = _columns(runs)
    per_row = min(3, len(columns))
    num_rows = math.ceil(len(columns) / per_row)
    figure = new_figure(3.8 * per_row, 2.6 * num_rows + 0.3 * len(runs))
    grid = figure.subplots(num_rows, per_row, squeeze=False).flatten()
    lines: dict[str, Any] = {}
    for axes, column in zip(grid, columns, strict=False):
        for place, (name, rows) in enumerate(runs.items()):
            points = [(float(row["epoch"]), float(row[column])) for row in rows if row.get(column)]
            if points:
                (lines[name],) = axes.plot(*zip(*points, strict=True), **_style(place, len(points)))
        axes.set(xlabel="epoch", ylabel=column.replace("$", r"\$"))
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
    for axes in grid[len(columns) :]:
        axes.axis("off")
    names = [name.replace("$", r"\$") for name in lines]
    figure.legend(lines.values(), names, loc="outside upper left", frameon=False, handlelength=4)
    return figure


def _columns(runs: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[str]:
    """Return the metrics that the panels show: those of validation first, then those of training."""
    found = dict.fromkeys(name for rows in runs.values() for name in (rows[0] if rows else ()) if name not in _OWN)
    return sorted(found, key=lambda name: not name.startswith("val"))[:_MAX_PANELS]


def _style(place: int, num_points: int) -> dict[str, Any]:
    marker = {"marker": "o", "markersize": 4} if num_points == 1 else {}
    return {"color": COLOURS[place % len(COLOURS)], "linestyle": _STYLES[place % len(_STYLES)], **marker}
