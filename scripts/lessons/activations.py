"""The command `activations`: activations with their derivatives, as a table and a figure."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from firstlight.checks import check_range, choose
from firstlight.commands.jobs import run_command
from firstlight.config.checking.config import check_arguments
from firstlight.runs.figures.canvas import BLUE, ORANGE, check_output, new_figure, write_figure
from lessons.functions import FUNCTIONS
from lessons.tables import table

_POINTS = 401  # points of each curve
_COLUMNS = 4


def main() -> None:
    """Entry point of scripts/activations.py."""
    run_command("activations", _job)


def _job(config: dict[str, Any]) -> dict[str, Any]:
    check_arguments("lessons.activations.activations", config)
    activations(**config)
    return {}


def activations(
    names: Sequence[str], at: Sequence[float], limit: float = 4.0, output: str | Path | None = "activations.png"
) -> None:
    """Print values and derivatives of activations, and draw them.

    Args:
        names: names of activations, see `functions.FUNCTIONS`.
        at: the inputs of the table.
        limit: the figure shows inputs from -limit to limit.
        output: path of the figure; None for none.

    Raises:
        ValueError: a name is unknown, a list is empty, a number is not finite, or the figure cannot be written.
    """
    for name in names:
        choose("names", name, FUNCTIONS, "activation")
    if not names or not at or not all(map(math.isfinite, at)):
        key, value = ("at", at) if names else ("names", names)
        raise ValueError(f"{key}={list(value)}: must hold at least one {'finite number' if names else 'name'}.")
    check_range("limit", limit, above=0, below=math.inf)
    path = check_output(output)
    width = max(map(len, names))
    print("\n".join(f"{name:{width}}  f(x) = {FUNCTIONS[name].formula}" for name in names))
    for title, results in (
        ("f(x)", [[FUNCTIONS[name].value(x) for name in names] for x in at]),
        ("f'(x)", [[FUNCTIONS[name].derivative(x) for name in names] for x in at]),
    ):
        rows: list[list[str | float]] = [[f"{x:g}", *row] for x, row in zip(at, results, strict=True)]
        print(f"\n{title}\n" + table(("x", *names), rows, ".4f"))
    if path is not None:
        _draw(names, limit, path)


def _draw(names: Sequence[str], limit: float, path: Path) -> None:
    columns = min(_COLUMNS, len(names))
    rows = math.ceil(len(names) / columns)
    figure = new_figure(2.2 * columns + 0.6, 2.1 * rows + 0.5)
    inputs = [limit * (2 * index / (_POINTS - 1) - 1) for index in range(_POINTS)]
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flatten()
    for axis, name in zip(axes, names, strict=False):
        function = FUNCTIONS[name]
        axis.plot(inputs, [function.value(x) for x in inputs], color=BLUE, linewidth=2, label="f(x)")
        derivatives = [function.derivative(x) for x in inputs]
        axis.plot(inputs, derivatives, color=ORANGE, linewidth=2, linestyle="--", label="derivative f'(x)")
        axis.set_title(function.title, fontsize=10)
        axis.grid(alpha=0.3)
    for axis in axes[len(names) :]:
        axis.set_visible(False)
    figure.supxlabel("input x", fontsize=10)
    figure.supylabel("f(x), f'(x)", fontsize=10)
    axes[0].set_ylim(-1.3, 2.5)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2, fontsize=9, frameon=False)
    write_figure(figure, path)
    print(f"figure  {path}")
