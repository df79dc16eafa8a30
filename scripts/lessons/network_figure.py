"""A small network as a drawing: its units, its weights, and what the forward and the backward pass compute."""

from collections.abc import Sequence
from pathlib import Path

from firstlight.runs.figures.canvas import BLACK, BLUE, ORANGE, new_figure, write_figure
from lessons.small_network import Layer, Pass, Vector
from lessons.tables import number

_MAX_LABELS = 12  # connections of a layer whose weights are written; more would cover each other
_PLACES = (0.3, 0.7)  # of a weight on its line, in turns, so that two lines that cross have both


def draw_network(layers: Sequence[Layer], passes: Sequence[Pass], deltas: Sequence[Vector], path: Path) -> None:
    """Draw the units as circles with their outputs, and the weights as lines: blue above 0, orange below.

    Below each unit stands dE/dz, which the backward pass computes.

    Args:
        layers: the weights.
        passes: the forward pass, see `small_network.forward`.
        deltas: dE/dz of each unit, see `small_network.backward`.
        path: the file.
    """
    columns = [passes[0].inputs, *(done.outputs for done in passes)]
    figure = new_figure(2.6 * len(columns), min(1.2 + 1.3 * max(map(len, columns)), 12))
    axes = figure.subplots()
    places = [
        [(column, _height(unit, len(values))) for unit in range(len(values))] for column, values in enumerate(columns)
    ]
    for before, after, layer in zip(places, places[1:], layers, strict=False):
        _draw_weights(axes, before, after, layer)
    for column, values in enumerate(columns):
        for unit, value in enumerate(values):
            x, y = places[column][unit]
            axes.plot(x, y, "o", markersize=40, color="white", markeredgecolor=BLACK, zorder=3)
            axes.annotate(number(value, ".3g"), (x, y), ha="center", va="center", fontsize=10, zorder=4)
            if column:
                delta = f"dE/dz {number(deltas[column - 1][unit], '.2g')}"
                axes.annotate(delta, (x, y), (0, -30), textcoords="offset points", ha="center", fontsize=8, zorder=4)
    names = ["inputs", *(f"layer {index + 1}" for index in range(len(layers)))]
    axes.set_xticks(range(len(columns)), names)
    axes.tick_params(length=0)
    axes.set(yticks=[], xlim=(-0.4, len(columns) - 0.6))
    axes.margins(y=0.25)
    axes.spines[:].set_visible(False)
    write_figure(figure, path)
    print(f"figure  {path}")


def _height(unit: int, units: int) -> float:
    """Return the place of a unit in its column, whose middle is at 0; the first unit is the highest."""
    return (units - 1) / 2 - unit


def _draw_weights(axes: object, before: list[tuple[int, float]], after: list[tuple[int, float]], layer: Layer) -> None:
    from matplotlib.axes import Axes

    assert isinstance(axes, Axes)
    largest = max((abs(weight) for row in layer.weights for weight in row), default=0.0) or 1.0
    for unit, row in enumerate(layer.weights):
        for place, weight in enumerate(row):
            (x0, y0), (x1, y1) = before[place], after[unit]
            colour = BLUE if weight >= 0 else ORANGE
            axes.plot([x0, x1], [y0, y1], color=colour, linewidth=0.5 + 3 * abs(weight) / largest, alpha=0.6, zorder=1)
            if len(row) * len(layer.weights) <= _MAX_LABELS:
                part = _PLACES[(unit + place) % 2]
                middle = x0 + part * (x1 - x0), y0 + part * (y1 - y0)
                box = {"boxstyle": "round,pad=0.15", "color": "white", "alpha": 0.85}
                axes.annotate(number(weight, ".3g"), middle, ha="center", va="center", fontsize=9, bbox=box, zorder=2)
