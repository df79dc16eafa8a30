"""Permutation importance: how much worse a network becomes if a column of a table is shuffled.

Source: Breiman 2001, "Random forests", section 10; Fisher, Rudin & Dominici 2019 for any kind of model.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from firstlight.data import BatchLoader, Split
from firstlight.randomness import generator
from firstlight.runs.evaluate import compute_metrics
from firstlight.spec import DataSpec
from firstlight.tasks import Task
from firstlight.tasks.metrics.metric import Metric

_MAX_ROWS = 10_000  # more rows would change the result by less than its standard deviation
_BATCH_SIZE = 1024


class Importance(NamedTuple):
    """How much worse a metric becomes without the information of a column.

    Attributes:
        name: name of the column.
        mean: the rise of the metric, or its fall if larger is better; mean over the permutations.
        std: standard deviation over the permutations.
    """

    name: str
    mean: float
    std: float


def permutation_importance(
    task: Task, split: Split, *, repeats: int = 5, seed: int = 1, precision: str = "32-true"
) -> tuple[Metric, float, list[Importance]]:
    """Shuffle the cells of one column at a time, and compute by how much the task's main metric becomes worse.

    All inputs of a column, such as those of its categories, are shuffled together.

    Args:
        task: a task of tables, in evaluation mode.
        split: the rows; of more than 10,000, a random part is used.
        repeats: permutations of each column.
        seed: seed of the permutations.
        precision: the `trainer.precision` of the run.

    Returns:
        The metric, its value on the unchanged rows, and the columns from the most important on.
    """
    random = generator(seed, "importance")
    rows, targets = split.take(torch.randperm(len(split), generator=random)[:_MAX_ROWS])
    (metric,) = [each for each in task.metrics if each.name == task.headline[-1]]

    def value(inputs: Tensor) -> float:
        loader = BatchLoader(Split(inputs, targets), _BATCH_SIZE, device=task.device)
        return compute_metrics(task, loader, precision)[metric.name]

    before = value(rows)
    sign = -1 if metric.direction == "max" else 1
    found = []
    for name, inputs in column_inputs(task.spec).items():
        after = [value(_shuffled(rows, inputs, random)) for _ in range(repeats)]
        worse = sign * (torch.tensor(after, dtype=torch.float64) - before)
        found.append(Importance(name, worse.mean().item(), worse.std(correction=0).item()))
    return metric, before, sorted(found, key=lambda each: -each.mean)


def column_inputs(spec: DataSpec) -> dict[str, slice]:
    """Return the inputs of the network that each column of a table becomes, by the name of the column."""
    if not spec.columns:
        return {f"column {place + 1}": slice(place, place + 1) for place in range(spec.input_shape[0])}
    found, start = {}, 0
    for column in spec.columns:
        found[column.name] = slice(start, start + column.num_inputs)
        start += column.num_inputs
    return found


def _shuffled(rows: Tensor, inputs: slice, random: torch.Generator) -> Tensor:
    """Return a copy of the rows (rows, inputs) in which some inputs come from other rows."""
    shuffled = rows.clone()
    shuffled[:, inputs] = rows[torch.randperm(len(rows), generator=random), inputs]
    return shuffled
