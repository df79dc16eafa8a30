"""The command `race`: the paths of optimizers over the loss surface of a line."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from firstlight.checks import check_range, choose
from firstlight.commands.jobs import run_command
from firstlight.config.checking.config import check_arguments
from firstlight.runs.figures.canvas import check_output
from lessons.line_surface import check_line, draw_paths, gradient, least_squares, mean_squared_error
from lessons.tables import number, table

_CLOSE = 0.01  # a path has arrived where the loss stays below this


def main() -> None:
    """Entry point of scripts/race.py."""
    run_command("race", _job)


def _job(config: dict[str, Any]) -> dict[str, Any]:
    check_arguments("lessons.race.race", config)
    race(**config)
    return {}


def race(
    optimizers: Sequence[str],
    rate: float,
    steps: int,
    points: Sequence[Sequence[float]],
    start: Sequence[float],
    output: str | Path | None = "race.png",
) -> dict[str, np.ndarray]:
    """Print and draw how optimizers descend on the mean squared error of y = m x + b.

    Args:
        optimizers: names of configs/optimizer; their other options are those of the file, without weight decay.
        rate: the learning rate of all.
        steps: number of steps of each path.
        points: pairs of x and y.
        start: initial m and b.
        output: path of the figure; None for none.

    Returns:
        m and b before the first and after each step, (steps + 1, 2), by the name of the optimizer.

    Raises:
        ValueError: an option is out of its range, or the figure cannot be written.
    """
    from firstlight.config.project import option_files

    for name in optimizers:
        choose("optimizers", name, option_files("optimizer"), "optimizer")
    if not optimizers:
        raise ValueError("optimizers=[]: must hold at least one name.")
    check_range("rate", rate, above=0, below=math.inf)
    check_range("steps", steps, at_least=1)
    check_line(points, start)
    path = check_output(output)
    x, y = np.array(points, dtype=np.float64).T
    paths = {name: _descend(name, x, y, start, rate, steps) for name in optimizers}
    errors = {name: mean_squared_error(x, y, *taken.T) for name, taken in paths.items()}
    rows = [(name, *paths[name][-1], float(errors[name][-1]), _arrival(errors[name])) for name in optimizers]
    print(f"learning rate {number(rate)}, {steps} steps\n")
    print(table(("optimizer", "m", "b", "MSE", f"MSE stays below {_CLOSE} from step"), rows))
    if path is not None:
        draw_paths(x, y, paths, least_squares(x, y), path)
    return paths


def _descend(name: str, x: np.ndarray, y: np.ndarray, start: Sequence[float], rate: float, steps: int) -> np.ndarray:
    """Return the path of an optimizer; it ends before it overflows."""
    import torch
    import yaml

    from firstlight.config.instantiate import build
    from firstlight.config.project import option_files

    node = yaml.safe_load(option_files("optimizer")[name].read_text(encoding="utf-8"))
    weights = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    optimizer = build("optimizer", node | {"lr": rate, "weight_decay": 0.0}, [weights])
    path = [np.array(start, dtype=np.float64)]
    for _ in range(steps):
        weights.grad = torch.from_numpy(gradient(x, y, *path[-1]))
        optimizer.step()
        following = weights.detach().numpy().copy()
        if not np.isfinite(mean_squared_error(x, y, *following)):
            break
        path.append(following)
    return np.stack(path)


def _arrival(errors: np.ndarray) -> str:
    """Return the first step from which the error stays small."""
    large = np.flatnonzero(~(errors < _CLOSE))
    first = int(large[-1]) + 1 if len(large) else 0
    return str(first) if first < len(errors) else "never"
