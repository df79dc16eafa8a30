"""Learning curves: each metric over the epochs of a run."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from firstlight.runs.figures.canvas import BLUE, GREEN, ORANGE, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MAX_PANELS = 16
_OWN = ("epoch", "step", "seconds")  # columns without a panel
_SPLITS = {"train": BLUE, "val": ORANGE}


def curves(rows: Sequence[Mapping[str, Any]], best_epoch: float | None = None) -> "Figure":
    """Draw a panel for each metric, with the training and the validation split in it, and one for the learning rate.

    Args:
        rows: the rows of metrics.csv, at least one; see `RunFolder.history`. Cells may be texts.
        best_epoch: the epoch of the best checkpoint, which gets a dotted line; None for no line.
    """
    panels = _panels(rows[0])
    columns = min(4, len(panels))
    figure, grid = _panes(math.ceil(len(panels) / columns), columns)
    epochs = [int(float(row["epoch"])) for row in rows]
    for axes, (name, lines) in zip(grid, panels.items(), strict=False):
        for split, column in lines.items():
            values = [_number(row.get(column)) for row in rows]
            axes.plot(epochs, values, color=_SPLITS.get(split, GREEN), label=split or None, **_style(len(rows)))
        if best_epoch is not None:
            axes.axvline(best_epoch, color="gray", linestyle=":", linewidth=1)
        axes.set(xlabel="epoch", ylabel=name.replace("$", r"\$"))
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.ticklabel_format(axis="y", scilimits=(-2, 4))
        axes.grid(alpha=0.3)
        if any(lines):
            axes.legend(fontsize="small", frameon=False)
    for axes in grid[len(panels) :]:
        axes.axis("off")
    return figure


def _panes(rows: int, columns: int) -> tuple["Figure", Any]:
    """Return a figure and the axes of its panels: (rows * columns,)."""
    width, height = 3.2 * columns, 2.4 * rows
    figure = new_figure(width, height)
    figure.set_layout_engine(None)  # all panels need the same margins, and to look for them takes half of the time
    margins = {"left": 0.75 / width, "right": 1 - 0.1 / width, "bottom": 0.5 / height, "top": 1 - 0.25 / height}
    figure.subplots_adjust(**margins, wspace=0.36, hspace=0.3)
    return figure, figure.subplots(rows, columns, squeeze=False).flatten()


def _panels(row: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return the column of each split, by metric; metrics of a LightningModule may be named `val_loss`."""
    panels: dict[str, dict[str, str]] = {}
    for column in row:
        split = next((each for each in _SPLITS if column.startswith((f"{each}/", f"{each}_"))), "")
        name = column[len(split) + 1 :] if split else column
        if column not in (*_OWN, "lr"):
            panels.setdefault(name, {})[split] = column
    shown = dict(list(panels.items())[: _MAX_PANELS - 1])
    return shown | ({"learning rate": {"": "lr"}} if "lr" in row or not shown else {})


def _number(cell: Any) -> float:
    return math.nan if cell in (None, "") else float(cell)


def _style(num_epochs: int) -> dict[str, Any]:
    """Return points for a few epochs; a single one has no line."""
    return {"marker": "o", "markersize": 3} if num_epochs <= 20 else {}
