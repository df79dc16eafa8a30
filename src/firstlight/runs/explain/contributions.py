"""What each column adds to the prediction for a row of a table, by integrated gradients."""

from typing import NamedTuple

import torch
from torch import Tensor

from firstlight.runs.explain.attributions import integrated_gradients
from firstlight.runs.explain.importance import column_inputs
from firstlight.runs.explain.outputs import Outputs
from firstlight.tasks import Task


class Contributions(NamedTuple):
    """What the columns add to the explained output of each row.

    Attributes:
        columns: names of the columns.
        chosen: the explained output of each row (rows,): the index of a class or of a target.
        values: (rows, columns), in logits or in the units of the target.
        start: the output of the mean row of the training split, (rows,). With the values it adds up to the output.
    """

    columns: list[str]
    chosen: Tensor
    values: Tensor
    start: Tensor


def explain_rows(task: Task, raw: Tensor, chosen: int | None = None) -> Contributions:
    """Explain one output for each row, compared with a row of the means of the training split.

    Args:
        task: a classification or regression of tables, in evaluation mode.
        raw: raw rows (rows, inputs).
        chosen: index of the class or target to explain; None for the most likely class, or the first target.

    Raises:
        ValueError: the task is another one.
    """
    outputs = Outputs(task).eval()
    with torch.no_grad():
        inputs = task.preprocess(raw.to(task.device))
        numbers = outputs(inputs)
        start = outputs(torch.zeros_like(inputs))  # standardised, so 0 is the mean, or the absence of a category
    targets = outputs.most_likely(numbers) if chosen is None else torch.full((len(raw),), chosen, device=task.device)
    gradients = integrated_gradients(outputs, inputs, torch.zeros_like(inputs), targets)
    columns = column_inputs(task.spec)
    values = torch.stack([gradients[:, inputs].sum(1) for inputs in columns.values()], 1)
    own_start = start[torch.arange(len(raw), device=task.device), targets]
    return Contributions(list(columns), targets.cpu(), values.cpu(), own_start.cpu())
