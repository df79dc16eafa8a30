"""The way of a batch of inputs through a network: a row for each input."""

from typing import Any, NamedTuple

from firstlight.runs.predict.inputs import InputBatch, Inputs
from firstlight.runs.predict.objects.originals import place
from firstlight.tasks import Task

UNREAD = "no prediction"  # the kind of the warning, and the text on the screen, for an input that cannot be read


class Result(NamedTuple):
    """The prediction of one input.

    Attributes:
        names: the columns by which the user recognizes the input.
        found: the columns of the task, see `Task.predict_rows`.
        warnings: why the prediction may be wrong.
        problem: why the input cannot be read; empty if it can. `found` has no meaning then.
    """

    names: dict[str, Any]
    found: dict[str, Any]
    warnings: list[str]
    problem: str = ""

    @property
    def row(self) -> dict[str, Any]:
        """All columns. A target that has the name of another column gets a longer one."""
        taken = (*self.names, "warning")
        found = dict.fromkeys(self.found, "") if self.problem else self.found
        named = {f"predicted_{key}" if key in taken else key: value for key, value in found.items()}
        return self.names | named | {"warning": "; ".join(self.warnings)}


def predict_batch(task: Task, batch: InputBatch) -> list[Result]:
    """Return the prediction of each input of a batch."""
    found = task.predict_rows(batch.raw.to(task.device))
    for each, size in zip(found, batch.sizes, strict=False) if task.predicts_boxes else ():
        place(each["boxes"], size, task.spec)
    own = [[text] if (text := each.pop("warning", "")) else [] for each in found]
    warnings = [[*before, *after] for before, after in zip(batch.warnings, own, strict=True)]
    results = [Result(*each) for each in zip(batch.names, found, warnings, strict=True)]
    return [
        result._replace(warnings=[f"{UNREAD}: {problem}"], problem=problem) if problem else result
        for result, problem in zip(results, batch.unread or [""] * len(results), strict=True)
    ]


def predict_all(task: Task, inputs: Inputs, batch_size: int) -> list[dict[str, Any]]:
    """Return the row of each input. Nothing is written or printed."""
    return [result.row for batch in inputs.batches(batch_size) for result in predict_batch(task, batch)]
