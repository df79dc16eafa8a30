"""The part of the page for tables: a form with a field for each column, and the answer for its row."""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from firstlight.runs.demo.library import ONE_AT_A_TIME, answering, gradio
from firstlight.runs.demo.shown import bars, notes, numbers
from firstlight.runs.demo.subject import Subject
from firstlight.runs.predict.results import predict_batch
from firstlight.runs.predict.tables import TableInputs
from firstlight.spec import Column, DataSpec

_IN_A_ROW = 3  # fields
_MAX_FIELDS = 200


class RowAnswers:
    """The answers of a network to a row of a table.

    Raises:
        ValueError: the run names no columns, or more than a form can have.
    """

    def __init__(self, subject: Subject) -> None:
        self.task = subject.task
        self.spec = subject.task.spec
        if not 1 <= len(self.spec.columns) <= _MAX_FIELDS:
            raise ValueError(
                f"run={subject.title}: must be a run with 1 to {_MAX_FIELDS} named columns,"
                f" not {len(self.spec.columns):,}."
            )

    def of(self, *cells: Any) -> tuple[Any, str]:
        """Return the answer to the cells of a row, in the order of the columns, and notes. None is an empty cell.

        Raises:
            ValueError: a cell cannot be read.
        """
        row = {column.name: cell for column, cell in zip(self.spec.columns, cells, strict=True)}
        row = {name: None if cell == "" else cell for name, cell in row.items()}
        inputs = TableInputs.read([row], self.spec)
        if inputs.problems:
            raise ValueError(inputs.problems[0].removeprefix("row 1: "))
        batch = next(inputs.batches(1))
        result = predict_batch(self.task, batch)[0]
        answer = bars(result.found) if self.spec.targets == "classes" else numbers(self.task, result.found)
        return answer, notes(result.warnings, self.spec)


def add_tables(subject: Subject) -> None:
    """Add inputs and answers to the page."""
    gr, answers = gradio(), RowAnswers(subject)
    spec, fields = answers.spec, []
    starts = accumulate((column.num_inputs for column in spec.columns), initial=0)
    values = [_usual(column, spec.mean[start]) for column, start in zip(spec.columns, starts, strict=False)]
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=340):
            for first in range(0, len(values), _IN_A_ROW):
                with gr.Row():
                    chosen = slice(first, first + _IN_A_ROW)
                    fields += [_field(gr, *pair) for pair in zip(spec.columns[chosen], values[chosen], strict=True)]
            button = gr.Button("Answer", variant="primary")
        with gr.Column(min_width=300):
            answer = _answer(gr, spec)
            note = gr.Markdown(elem_id="notes")
    button.click(answering(answers.of), fields, [answer, note], **ONE_AT_A_TIME)


def _answer(gr: Any, spec: DataSpec) -> Any:
    if spec.targets == "classes":
        return gr.Label(num_top_classes=5, label="Answer", elem_id="answer")
    return gr.Textbox(label="Answer, in the units of the data", interactive=False, elem_id="answer")


def _usual(column: Column, mean: float) -> Any:
    """Return the first value of a field: the mean of the training split, or the value of empty cells."""
    if column.kind == "number":
        return float(f"{mean:.4g}")
    if column.kind == "category":
        return column.categories[0] if column.categories else None
    return mean >= 0.5 if column.kind == "boolean" else ""


def _field(gr: Any, column: Column, value: Any) -> Any:
    """Return the field of a column: a number, a choice between its categories, a box to tick, or a date."""
    if column.kind == "category":
        return gr.Dropdown(list(column.categories), value=value, label=column.name)
    if column.kind == "boolean":
        return gr.Checkbox(value, label=column.name)
    if column.kind == "date":
        return gr.Textbox(value, label=f"{column.name} ({_readable(column.date_format)})")
    return gr.Number(value, label=column.name)


def _readable(date_format: str) -> str:
    """Return a format of dates as people read it: YYYY-MM-DD."""
    letters: Sequence[tuple[str, str]] = (
        *(("%Y", "YYYY"), ("%m", "MM"), ("%d", "DD"), ("%b", "Mon"), ("%H", "hh"), ("%I", "hh"), ("%M", "mm")),
        *(("%S", "ss"), ("%p", "AM/PM"), ("%f", "ffffff")),
    )
    for code, text in letters:
        date_format = date_format.replace(code, text)
    return date_format
