"""sweep.png: the importance of each parameter, and every job as a line from its parameters to its metrics."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from firstlight.runs.figures.canvas import BLUE, ORANGE, new_figure
from firstlight.runs.sweeps.ranking import Directions, costs
from firstlight.runs.sweeps.record import JobRecord
from firstlight.runs.sweeps.shown.importance import importances, is_logarithmic, numbers
from firstlight.runs.sweeps.shown.table import differing_keys

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MAX_AXES = 9
_MAX_TICKS = 10
_MAX_VALUES = 6  # of a parameter, all of which are ticks
_LONGEST = 16  # characters of a value


def sweep_figure(records: Sequence[JobRecord], directions: Directions) -> "Figure | None":
    """Draw a sweep: bars for the importance of the parameters, and parallel coordinates with a line for each job.

    Lines are dark for good values of the first metric; the best one is thick. The best value of a metric is at the top.
    Parameters stand from the most important to the least important one.

    Args:
        records: the jobs.
        directions: the metrics, the most important first, with "min" or "max".

    Returns:
        The figure; None if fewer than two jobs have values, or nothing differs between them.
    """
    known = [record for record in records if all(record.value(name) == record.value(name) for name in directions)]
    if not directions or len(known) < 2 or not differing_keys(known):
        return None
    found = importances(known, next(iter(directions)))
    keys = [*found, *(key for key in differing_keys(known) if key not in found)][: _MAX_AXES - len(directions)]
    num_axes = len(keys) + len(directions)
    columns = [3.4, 1.6 * num_axes] if found else [1.6 * num_axes]
    figure = new_figure(sum(columns) + 0.8, 4)
    *bars, lines = figure.subplots(1, len(columns), width_ratios=columns, squeeze=False).flatten()
    for axes in bars:
        _draw_importances(axes, {key: found[key] for key in keys if key in found}, next(iter(directions)))
    _draw_lines(lines, known, keys, directions)
    return figure


def _draw_importances(axes: "Axes", found: dict[str, float], metric: str) -> None:
    labels = [_text(key, 24) for key in found]
    bars = axes.barh(labels, list(found.values()), color=BLUE, height=0.6)
    axes.bar_label(bars, [f"{value:.2f}" for value in found.values()], padding=3, fontsize="small")
    axes.set(xlim=(0, 1.15), ylim=(max(4, len(found)) - 0.5, -0.5))  # a single bar is no block
    axes.set_title(_text(f"importance for {metric}", 40), fontsize="small", weight="bold", loc="left")
    axes.set_xticks([])
    axes.spines[["top", "right", "bottom"]].set_visible(False)


def _draw_lines(axes: "Axes", records: Sequence[JobRecord], keys: Sequence[str], directions: Directions) -> None:
    places = []  # of all jobs on each axis, from 0 to 1
    for x, key in enumerate(keys):
        ys, ticks = _axis([record.choices.get(key) for record in records])
        places.append(ys)
        _draw_axis(axes, x, key, ticks)
    for x, name in enumerate(directions, start=len(keys)):
        ys, ticks = _axis([repr(record.value(name)) for record in records])
        if directions[name] == "min":  # the best value is at the top
            ys, ticks = [1 - y for y in ys], {1 - y: text for y, text in ticks.items()}
        places.append(ys)
        _draw_axis(axes, x, name, ticks, is_metric=True)
    first = [costs((record.value(name) for name in directions), directions)[0] for record in records]
    order = np.argsort(np.argsort(-np.array(first), kind="stable"))  # the worst job is 0
    for job in np.argsort(order):
        axes.plot(range(len(places)), [ys[job] for ys in places], **_style(order[job] / (len(records) - 1)))
    axes.set(xlim=(-0.1, len(places) - 0.55), ylim=(-0.05, 1.05))
    axes.axis("off")


def _style(quality: float) -> dict[str, Any]:
    """Return the look of a line, whose quality is 0 for the worst job and 1 for the best one."""
    if quality == 1:
        return {"color": ORANGE, "linewidth": 2.5, "zorder": 3}
    return {"color": BLUE, "linewidth": 1.2, "alpha": 0.15 + 0.6 * quality**2, "zorder": 2}


def _axis(values: Sequence[str | None]) -> tuple[list[float], dict[float, str]]:
    """Return the places of values on an axis from 0 to 1, and its ticks."""
    found = numbers(values)
    if found is None:
        names = list(dict.fromkeys("-" if value is None else value for value in values))
        at = {name: place / max(1, len(names) - 1) for place, name in enumerate(names)}
        step = -(-len(names) // _MAX_TICKS)  # too many names would overlap
        return [at["-" if value is None else value] for value in values], {at[name]: name for name in names[::step]}
    scale = np.log10 if is_logarithmic(found) else np.asarray
    low, high = float(scale(min(found))), float(scale(max(found)))
    span = high - low or 1.0
    start = low if high > low else low - 0.5  # a single value lies in the middle
    ticks = {float((scale(value) - start) / span): f"{value:.4g}" for value in _ticks(found)}
    return ((np.array([float(scale(value)) for value in found]) - start) / span).tolist(), ticks


def _ticks(values: Sequence[float]) -> list[float]:
    """Return the values themselves if there are few, or round numbers between them."""
    from matplotlib.ticker import LogLocator, MaxNLocator

    low, high = min(values), max(values)
    if len(set(values)) <= _MAX_VALUES:
        return sorted(set(values))
    locator = LogLocator(subs=(1.0, 3.0), numticks=_MAX_TICKS) if is_logarithmic(values) else MaxNLocator(6)
    return [float(value) for value in locator.tick_values(low, high) if low <= value <= high]


def _draw_axis(axes: "Axes", x: int, title: str, ticks: dict[float, str], is_metric: bool = False) -> None:
    axes.axvline(x, ymin=0.05 / 1.1, ymax=1.05 / 1.1, color="gray", linewidth=1, zorder=1)
    weight = "bold" if is_metric else "normal"
    axes.text(x, 1.08, _text(title, 22), ha="center", fontsize="small", weight=weight)
    for y, text in ticks.items():
        axes.plot([x - 0.02, x + 0.02], [y, y], color="gray", linewidth=1, zorder=1)
        ground = {"facecolor": "white", "alpha": 0.85, "edgecolor": "none", "pad": 0.6}
        axes.text(x + 0.04, y, _text(text), va="center", fontsize="x-small", bbox=ground, zorder=4)


def _text(value: str, length: int = _LONGEST) -> str:
    """Return a text of at most `length` characters, in which Matplotlib sees no formula."""
    return (value if len(value) <= length else f"{value[: length - 1]}…").replace("$", r"\$")
