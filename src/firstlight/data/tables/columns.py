"""The columns of a table as inputs of a network."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from firstlight.data.tables.cells import Cells, Parsed
from firstlight.data.tables.values import EMPTY_NUMBERS, booleans, dates, numbers
from firstlight.spec import Column

LARGEST = float(np.finfo(np.float32).max)
_NUM_NAMED = 3  # unknown categories that a message names
_MAX_LENGTH = 40  # characters of a cell in a message


def values(column: Column, cells: Cells, otherwise: str | None = None) -> pl.Series:
    """Return a column that is no category as numbers, float64; null for empty cells.

    Args:
        column: the column; its statistics are not used.
        cells: the table.
        otherwise: what the message proposes if a cell cannot be corrected.

    Raises:
        ValueError: a cell cannot be read, or its number is not finite in float32. The message names the line.
    """
    found, wrong, what = _parsed(column, cells)
    if len(wrong):
        otherwise = otherwise or f"data.types={{{column.name}:category}} or data.drop=[{column.name}]"
        raise cells.error(wrong[0], _content(column, cells, wrong[0]), f"write {what}, or set {otherwise}.")
    return found


def unreadable(columns: Sequence[Column], cells: Cells) -> dict[int, str]:
    """Return a reason for each row that cannot be read: its wrong cells with their columns.

    The keys are the numbers of the rows, from 0.
    """
    found: dict[int, list[str]] = {row: [why] for row, why in cells.ragged.items()}
    for column in columns:
        _, wrong, what = _parsed(column, cells) if column.kind != "category" else (None, [], "")
        for row in wrong:
            if row not in cells.ragged:
                found.setdefault(row, []).append(f"{_content(column, cells, row)}, not {what}")
    return {row: ", ".join(found[row]) for row in sorted(found)}


def _content(column: Column, cells: Cells, row: int) -> str:
    text = cells.frame[column.name][row]
    return f"{column.name} is '{text if len(text) <= _MAX_LENGTH else text[:_MAX_LENGTH] + '…'}'"


def _parsed(column: Column, cells: Cells) -> Parsed:
    """Return the values of a column, the rows that cannot be read, and what their cells should be."""
    key = (column.name, column.kind, column.decimal, column.date_format)
    if key not in cells.parsed:
        cells.parsed[key] = _parse(column, cells)
    return cells.parsed[key]


def _parse(column: Column, cells: Cells) -> Parsed:
    plain = cells.plain.get(column.name) if column.kind == "number" and column.decimal == "." else None
    if plain is not None and plain.min() >= -LARGEST and plain.max() <= LARGEST:  # type: ignore[operator]
        return plain, [], ""
    texts = cells.frame[column.name]
    found, what = _read(column, texts)
    wrong = (texts.is_not_null() & found.is_null()) | (found.abs() > LARGEST).fill_null(False)
    if column.kind == "number":
        wrong = wrong & ~texts.str.to_lowercase().is_in(list(EMPTY_NUMBERS)).fill_null(False)
    return found, wrong.arg_true().to_list(), what


def encode(columns: Sequence[Column], cells: Cells) -> np.ndarray:
    """Return the inputs of a network: (rows, inputs), float32, in the order of the columns.

    A number, boolean or date is one input, with the column's `fill` for empty cells. A category is one input for each
    known text, 1 for the text of the cell; all are 0 for other texts. A flag follows if the column has one.

    Args:
        columns: the columns, as in the `DataSpec` of a run.
        cells: a table that has them, in any order.

    Raises:
        ValueError: a cell cannot be read; the message names the line.
    """
    inputs = np.empty((len(cells.frame), sum(column.num_inputs for column in columns)), dtype=np.float32)
    place = 0
    for column in columns:
        part = inputs[:, place : place + column.num_inputs]
        place += column.num_inputs
        texts = cells.frame[column.name]
        if column.kind == "category":
            for index, category in enumerate(column.categories):
                part[:, index] = (texts == category).fill_null(False).to_numpy()
            empty = texts.is_null()
        else:
            found = values(column, cells)
            part[:, 0] = found.fill_null(column.fill).to_numpy()
            empty = found.is_null()
        if column.has_flag:
            part[:, -1] = empty.to_numpy()
    return inputs


def indicators(columns: Sequence[Column]) -> np.ndarray:
    """Return which inputs are 0 or 1 by their nature and need no standardisation: (inputs,), bool."""
    found: list[bool] = []
    for column in columns:
        is_amount = column.kind in ("number", "date")
        found += [not is_amount] * (column.num_inputs - column.has_flag) + [True] * column.has_flag
    return np.array(found)


def surprises(columns: Sequence[Column], cells: Cells) -> list[str]:
    """Return warnings about new rows: columns with empty cells that had none in training, and unknown categories."""
    found = []
    for column in columns:
        texts = cells.frame[column.name]
        is_category = column.kind == "category"
        num_empty = (texts if is_category else values(column, cells)).null_count()
        if num_empty and not column.has_flag:
            use = "have no category" if is_category else f"become {fill_text(column)}"
            found.append(f"{column.name}: empty cells {use} ({num_empty:,})")
        unknown = texts.filter(~texts.is_in(list(column.categories)).fill_null(True)) if is_category else texts.clear()
        if len(unknown):
            names = unknown.unique(maintain_order=True).to_list()
            shown = ", ".join(names[:_NUM_NAMED]) + (", ..." if len(names) > _NUM_NAMED else "")
            found.append(f"{column.name}: unknown categories have no input ({len(unknown):,}): {shown}")
    return found


def fill_text(column: Column) -> str:
    """Return the value of empty cells as people write it."""
    if column.kind == "date":
        return f"{datetime(1970, 1, 1) + timedelta(days=column.fill):%Y-%m-%d}"
    return f"{column.fill:.6g}"


def _read(column: Column, texts: pl.Series) -> tuple[pl.Series, str]:
    """Return the values of a column, and what its cells should be."""
    if column.kind == "number":
        return numbers(texts, column.decimal), "a finite number"
    if column.kind == "boolean":
        return booleans(texts), "true or false"
    return dates(texts, column.date_format), f"a date as {column.date_format}"
