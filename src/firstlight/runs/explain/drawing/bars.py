"""Horizontal bars: a number for each column of a table, from the largest on."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from firstlight.runs.figures.canvas import BLACK, BLUE, ORANGE, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MAX_BARS = 20
_MAX_NAME = 40  # characters


class Bars(NamedTuple):
    """The bars of one set of axes.

    Attributes:
        title: the title.
        axis: what the numbers are, with their unit.
        names: the name of each bar.
        values: the numbers.
        stds: standard deviations of the numbers, drawn as whiskers; None for none.
    """

    title: str
    axis: str
    names: Sequence[str]
    values: Sequence[float]
    stds: Sequence[float] | None = None


def draw_bars(parts: Sequence[Bars]) -> "Figure":
    """Return a figure with axes for each part, of which the 20 bars of the largest absolute values are drawn.

    Positive numbers are orange and negative ones blue.
    """
    count = min(_MAX_BARS, max(len(part.names) for part in parts))
    figure = new_figure(7, len(parts) * (1.2 + 0.28 * count))
    for place, part in enumerate(parts):
        order = sorted(range(len(part.names)), key=lambda index: -abs(part.values[index]))[:_MAX_BARS]
        axes = figure.add_subplot(len(parts), 1, place + 1)
        values = [part.values[index] for index in order]
        stds = None if part.stds is None else [part.stds[index] for index in order]
        axes.barh(range(len(order)), values, xerr=stds, color=[ORANGE if value > 0 else BLUE for value in values])
        axes.set_yticks(range(len(order)), [_short(part.names[index]) for index in order], parse_math=False)
        axes.invert_yaxis()
        axes.axvline(0, color=BLACK, linewidth=0.8)
        rest = len(part.names) - len(order)
        axes.set_title(part.title, fontsize=10, parse_math=False)
        axes.set_xlabel(f"{part.axis}; {rest:,} smaller ones are not drawn" if rest else part.axis, parse_math=False)
    return figure


def _short(name: str) -> str:
    return name if len(name) <= _MAX_NAME else f"{name[: _MAX_NAME - 1]}…"
