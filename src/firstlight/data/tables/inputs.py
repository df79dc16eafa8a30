"""Choose the columns of a table that a network learns from."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from firstlight.checks import choose, unknown
from firstlight.data.tables.cells import Cells
from firstlight.data.tables.columns import values
from firstlight.data.tables.kinds import KINDS, find_kind, learned, useless_because
from firstlight.files import cannot_read
from firstlight.spec import Column


class Choice(NamedTuple):
    """What the user says about the columns; see `Table`."""

    columns: Sequence[str] | None
    drop: Sequence[str]
    types: Mapping[str, str]
    decimal: str | None

    def check(self, cells: Cells, target: str) -> None:
        """Check that the columns exist and the kinds are known.

        Raises:
            ValueError: a name is unknown, or the target is dropped or typed.
        """
        for key, names in {"columns": self.columns or (), "drop": self.drop, "types": self.types}.items():
            for name in names:
                if name not in cells.frame.columns:
                    raise unknown(f"data.{key}", name, cells.frame.columns, f"column of {cells.origin}")
        for name, kind in self.types.items():
            choose(f"data.types.{name}", kind, KINDS, "kind of a column")
        for key, given in {"drop": self.drop, "types": self.types}.items():
            if target in given:
                raise ValueError(
                    f"data.{key}: must not contain '{target}', the target; data.target= and data.classes= choose it."
                )


class Inputs(NamedTuple):
    """The columns that a network learns from, and those that are left out, with the reason."""

    columns: list[Column]
    left_out: list[tuple[Column, str]]


def choose_columns(cells: Cells, target: str, choice: Choice, is_train: np.ndarray) -> Inputs:
    """Return the columns with what the rows for training say about them: categories and medians.

    Args:
        cells: the table.
        target: name of the target column.
        choice: what the user says.
        is_train: the rows for training, (rows,), bool.

    Raises:
        ValueError: no column is of use, or one that the user chose is not.
    """
    choice.check(cells, target)
    inputs = Inputs([], [])
    for name in cells.frame.columns:
        if name == target:
            continue
        column = find_kind(cells, name, choice.types.get(name), choice.decimal)
        reason = _reason(column, cells, choice, is_train)
        if reason is None:
            inputs.columns.append(learned(column, cells, is_train))
        else:
            inputs.left_out.append((column, reason))
    if not inputs.columns:
        shown = "; ".join(f"{column.name}: {reason}" for column, reason in inputs.left_out[:5])
        why = f"no column to learn from: {shown}" if shown else "only the target column"
        raise cannot_read(cells.origin, why, "add a column, or choose columns by data.columns=[...].")
    return inputs


def _reason(column: Column, cells: Cells, choice: Choice, is_train: np.ndarray) -> str | None:
    """Return why a column is left out, or None.

    Raises:
        ValueError: the user chose the column, and it is of no use.
    """
    if column.name in choice.drop:
        return "data.drop"
    if choice.columns is not None and column.name not in choice.columns:
        return "not in data.columns"
    if column.name in choice.types:
        return None
    reason = useless_because(column, cells, is_train)
    if choice.columns is None or reason is None:
        return reason
    if column.kind == "number":  # the user knows better
        return None
    raise ValueError(
        f"data.columns: must not contain '{column.name}', which has {reason}."
        f" data.types={{{column.name}:category}} takes each text as a category."
    )


def check_filled(columns: Sequence[Column], cells: Cells) -> None:
    """Check that no cell of these columns is empty, for data.on_empty=error.

    Raises:
        ValueError: a cell is empty; the message names its line.
    """
    for column in columns:
        empty = cells.frame[column.name].is_null() if column.kind == "category" else values(column, cells).is_null()
        if empty.any():
            row = int(empty.arg_true()[0])
            fix = f"write a value, or use data.on_empty=fill or data.drop=[{column.name}]."
            raise cells.error(row, f"{column.name} is empty, in {empty.sum():,} rows", fix)
