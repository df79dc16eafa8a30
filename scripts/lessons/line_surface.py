"""The mean squared error of the lines y = m x + b over (m, b), and gradient descent on it."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from firstlight.checks import check_range
from firstlight.runs.figures.canvas import BLACK, COLOURS, check_output, new_figure, write_figure
from lessons.tables import number, table

_SHOWN = 4  # first steps of a path that are printed
_MARKERS = "os^Dv*"
_CELLS = 121  # losses along each axis of the figure
_FLOOR = 1e-8  # losses in the figure are drawn from this fraction of the largest, because their axes are logarithmic


def line_surface(
    points: Sequence[Sequence[float]],
    start: Sequence[float],
    rates: Sequence[float],
    steps: int = 200,
    output: str | Path | None = "loss_surface.png",
) -> None:
    """Print and draw the paths of gradient descent on the mean squared error of y = m x + b.

    The error is the mean, not the sum or half the mean, of the squared residuals. Its gradient is then
    (2 mean(r x), 2 mean(r)) for residuals r = m x + b - y.

    Args:
        points: pairs of x and y.
        start: initial m and b.
        rates: learning rates, each with a path of its own.
        steps: number of steps of each path.
        output: path of the figure; None for none.

    Raises:
        ValueError: an option is out of its range, or the figure cannot be written.
    """
    check_line(points, start)
    _check(rates, steps)
    path = check_output(output)
    x, y = np.array(points, dtype=np.float64).T
    best = least_squares(x, y)
    error, smallest = (float(mean_squared_error(x, y, *place)) for place in (start, best))
    limit = largest_rate(x)
    print(f"points    {' '.join(f'({number(a)}, {number(b)})' for a, b in zip(x, y, strict=True))}")
    print(f"start     m = {start[0]:g}, b = {start[1]:g}")
    root = number(math.sqrt(error), ".3g")
    print(f"          MSE {number(error)}, RMSE {root}, gradient {_pair(gradient(x, y, *start))}")
    print(f"minimum   m = {number(best[0])}, b = {number(best[1])}, MSE {number(smallest)}")
    print(f"learning rates below {number(limit)} lead to the minimum, larger ones away from it")
    paths = {rate: descend(x, y, start, rate, steps) for rate in rates}
    for rate, steps_taken in paths.items():
        print(f"\nlearning rate {rate:g}{'' if rate < limit else ': too large'}\n{_path_table(x, y, steps_taken)}")
    if path is not None:
        draw_paths(x, y, {f"learning rate {rate:g}": taken for rate, taken in paths.items()}, best, path)


def mean_squared_error(x: np.ndarray, y: np.ndarray, m: np.ndarray | float, b: np.ndarray | float) -> np.ndarray:
    """Return the mean over the points of (m x + b - y)²; `m` and `b` may be arrays of one shape."""
    residuals = np.multiply.outer(m, x) + np.expand_dims(b, -1) - y
    return np.mean(residuals**2, axis=-1)


def gradient(x: np.ndarray, y: np.ndarray, m: float, b: float) -> np.ndarray:
    """Return the derivatives of the mean squared error by m and by b."""
    residuals = m * x + b - y
    return np.array([2 * np.mean(residuals * x), 2 * np.mean(residuals)])


def least_squares(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the m and b with the smallest error; of several, those nearest to 0."""
    return np.linalg.lstsq(np.stack([x, np.ones_like(x)], 1), y)[0]


def largest_rate(x: np.ndarray) -> float:
    """Return the learning rate from which gradient descent diverges: 2 / (largest eigenvalue of the Hessian)."""
    hessian = 2 * np.array([[np.mean(x * x), np.mean(x)], [np.mean(x), 1]])
    return 2 / float(np.linalg.eigvalsh(hessian)[-1])


def descend(x: np.ndarray, y: np.ndarray, start: Sequence[float], rate: float, steps: int) -> np.ndarray:
    """Return m and b before the first and after each step, (steps + 1, 2); a path ends before it overflows."""
    path = [np.array(start, dtype=np.float64)]
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(steps):
            following = path[-1] - rate * gradient(x, y, *path[-1])
            if not np.isfinite(mean_squared_error(x, y, *following)):
                break
            path.append(following)
    return np.stack(path)


def check_line(points: Sequence[Sequence[float]], start: Sequence[float]) -> None:
    """Check the points and the initial weights of a line.

    Raises:
        ValueError: they are no pairs, or too large.
    """
    values = [value for point in points for value in point]
    if not points or any(len(point) != 2 for point in points) or not all(map(_is_moderate, values)):
        raise ValueError(f"points={list(points)}: must be pairs of x and y, such as [[1,3],[2,5]], below 1e50.")
    if len(start) != 2 or not all(map(_is_moderate, start)):
        raise ValueError(f"start={list(start)}: must be m and b, such as [-1,5], below 1e50.")


def _check(rates: Sequence[float], steps: int) -> None:
    if not rates:
        raise ValueError("rates=[]: must hold at least one learning rate.")
    for rate in rates:
        check_range("rates", rate, above=0, below=math.inf)
    check_range("steps", steps, at_least=1)


def _is_moderate(value: float) -> bool:
    return abs(value) < 1e50  # the squares of products are finite


def _pair(values: np.ndarray) -> str:
    return f"({', '.join(map(number, values))})"


def _path_table(x: np.ndarray, y: np.ndarray, path: np.ndarray) -> str:
    """Return the first steps and the last one."""
    shown = sorted({*range(min(_SHOWN, len(path))), len(path) - 1})
    places = [(step, *path[step]) for step in shown]
    rows = [(str(step), m, b, float(mean_squared_error(x, y, m, b)), *gradient(x, y, m, b)) for step, m, b in places]
    return table(("step", "m", "b", "MSE", "dMSE/dm", "dMSE/db"), rows)


def draw_paths(x: np.ndarray, y: np.ndarray, paths: dict[str, np.ndarray], best: np.ndarray, path: Path) -> None:
    """Draw paths on the surface, and the error after each step.

    Args:
        x: of the points.
        y: of the points.
        paths: m and b after each step, (steps + 1, 2), by the name in the legend.
        best: the m and b with the smallest error.
        path: the file.
    """
    from matplotlib.colors import LogNorm

    figure = new_figure(9, 4.2)
    surface, curve = figure.subplots(1, 2)
    start = next(iter(paths.values()))[0]
    centre, half = (start + best) / 2, 0.85 * max(np.abs(start - best).max(), 1.0)
    m, b = (np.linspace(middle - half, middle + half, _CELLS) for middle in centre)
    errors = mean_squared_error(x, y, *np.meshgrid(m, b))
    floor = max(errors.max() * _FLOOR, np.finfo(np.float64).tiny)
    low = max(np.quantile(errors, 0.005), floor)
    levels = np.geomspace(low, max(errors.max(), 2 * low), 13)
    filled = surface.contourf(m, b, np.maximum(errors, low), levels, norm=LogNorm(), cmap="Greys", alpha=0.75)
    bar = figure.colorbar(filled, ax=surface, format="%.2g", ticks=levels[::3])
    bar.ax.set_title("MSE", fontsize=10)
    bar.ax.minorticks_off()
    for index, (name, steps) in enumerate(paths.items()):
        style = {"color": COLOURS[index % len(COLOURS)], "marker": _MARKERS[index % len(_MARKERS)], "linewidth": 1.5}
        surface.plot(*_until_outside(steps, centre, half).T, **style, markersize=3.5, label=name)
        drawn = np.maximum(mean_squared_error(x, y, *steps.T), floor)
        curve.semilogy(drawn, **style, markersize=4, markevery=max(1, len(drawn) // 12))
    surface.plot(*best, "X", color="white", markeredgecolor=BLACK, markersize=11, label="minimum")
    surface.set(xlim=m[[0, -1]], ylim=b[[0, -1]], xlabel="slope m", ylabel="intercept b")
    starting = float(mean_squared_error(x, y, *start))
    curve.set(xlabel="step", ylabel="MSE", ylim=(max(starting * 1e-4, floor), max(starting, floor) * 1e3))
    curve.grid(alpha=0.3)
    figure.legend(*surface.get_legend_handles_labels(), loc="outside upper center", ncols=4, fontsize=9, frameon=False)
    write_figure(figure, path)
    print(f"figure  {path}")


def _until_outside(path: np.ndarray, centre: np.ndarray, half: float) -> np.ndarray:
    """Return a path up to its first place outside the figure: a path that diverges would cross it again and again."""
    outside = np.flatnonzero(np.abs(path - centre).max(1) > half)
    return path[: outside[0] + 1] if len(outside) else path
