"""The target column of a table: classes or numbers."""

from typing import NamedTuple

import numpy as np
import polars as pl

from firstlight.checks import unknown
from firstlight.data.tables.cells import Cells
from firstlight.data.tables.columns import values
from firstlight.data.tables.kinds import MAX_CATEGORIES, find_kind
from firstlight.data.tables.values import numbers
from firstlight.files import cannot_read

_FEW = 20  # as many whole numbers may be classes


class Target(NamedTuple):
    """The targets of all rows.

    Attributes:
        name: name of the column.
        labels: names of the classes, or of the column of numbers.
        values: classes (rows,), int64, or numbers (rows, 1), float32.
        how: how the column was understood.
    """

    name: str
    labels: tuple[str, ...]
    values: np.ndarray
    how: str

    @property
    def strata(self) -> np.ndarray:
        """The class of each row, which every split gets the same fraction of; rows with numbers form one class."""
        return self.values if self.values.ndim == 1 else np.zeros(len(self.values))


def read_target(cells: Cells, name: str | None, classes: bool | None, decimal: str | None) -> Target:
    """Return the target of each row.

    Texts, truth values and two different numbers are classes, if the user does not decide it.

    Args:
        cells: the table.
        name: name of the column; None for the last one that is not empty.
        classes: whether the target is a class; None to find out.
        decimal: the decimal mark that the user names.

    Raises:
        ValueError: the column is unknown, or has an empty cell or one that cannot be read.
    """
    if name is None:
        name = next(column.name for column in reversed(cells.frame.get_columns()) if column.count())
    if name not in cells.frame.columns:
        raise unknown("data.target", name, cells.frame.columns, f"column of {cells.origin}")
    column = find_kind(cells, name, "number" if classes is False else None, decimal)
    if classes is False and not numbers(cells.frame[name], column.decimal).count():
        raise ValueError(
            f"data.target={name}: must be a column of numbers. To fix: task=classification predicts classes."
        )
    empty = cells.frame[name].is_null()
    if empty.any():
        what = "number" if column.kind == "number" and not classes else "class"
        row = int(empty.arg_true()[0])
        raise cells.error(row, f"the {what} {name} is empty", f"write a {what}, or remove the row.")
    if column.kind != "number":
        is_class = True
    elif classes is None:
        is_class = numbers(cells.frame[name], column.decimal).n_unique() == 2
    else:
        is_class = classes
    if is_class:
        return _classes(cells, name, classes)
    found = values(column, cells, "data.classes=true")
    return Target(name, (name,), found.to_numpy().astype(np.float32)[:, None], _hint(found))


def _hint(found: pl.Series) -> str:
    num_values = found.n_unique()
    if num_values > _FEW or (found != found.floor()).any():
        return "the target: a number"
    return f"the target: a number; data.classes=true makes its {num_values} values classes"


def _classes(cells: Cells, name: str, classes: bool | None) -> Target:
    """Return the classes, sorted: numbers by value, then texts. `1` and `1.0` are the same class."""
    texts = cells.frame[name]
    found = numbers(texts)
    if not found.null_count():
        texts = pl.Series([f"{value:.15g}" for value in found])
    values = dict(zip(texts.to_list(), found.to_list(), strict=True))
    labels = sorted(values, key=lambda text: (values[text] is None, values[text] or 0.0, text))
    if len(labels) < 2:
        raise cannot_read(cells.origin, f"all rows have the class '{labels[0]}'", "add rows of another class.")
    if classes is None and len(labels) > MAX_CATEGORIES and 2 * len(labels) > len(texts):
        raise ValueError(
            f"data.target={name}: must be a column of numbers or classes; {len(texts):,} rows have {len(labels):,}"
            " different texts. data.classes=true takes them as classes."
        )
    indices = {label: index for index, label in enumerate(labels)}
    shown = ", ".join(labels[:5]) + (f" and {len(labels) - 5} more" if len(labels) > 5 else "")
    targets = np.array([indices[text] for text in texts], dtype=np.int64)
    return Target(name, tuple(labels), targets, f"the target: {len(labels)} classes: {shown}")
