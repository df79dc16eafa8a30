"""What the columns of a table hold, and whether a network can learn from them."""

import re
from dataclasses import replace

import numpy as np
import polars as pl

from firstlight.data.tables.cells import Cells
from firstlight.data.tables.columns import values
from firstlight.data.tables.values import booleans, date_format_of, decimal_of, may_have_commas, numbers
from firstlight.spec import Column

KINDS = ("number", "category", "boolean", "date")
MAX_CATEGORIES = 100
# Names of columns that number the rows: any different whole numbers, or only those that count.
_ID = re.compile(
    r"(?i:(index|idx|unnamed.*|level_[0-9]|uuid|guid|(.*[ _.-])?id([ _.-].*)?)"
    r"|(user|customer|client|passenger|patient|person|order|product|subject|record|row|case|sample)id)|.*[a-z]I[dD]"
)
_COUNT = re.compile(r"(?i)(rows?|n[or]|num|number|sl?\.? ?no|serial.*|obs|observation|case|sample|record|#)\.?")


def with_decimal(cells: Cells, decimal: str | None) -> Cells:
    """Return the cells with the decimal mark for columns that do not show it: `decimal`, or that of other columns."""
    if decimal is not None:
        return replace(cells, decimal=decimal)
    columns = [texts for texts in cells.frame.get_columns() if texts.name not in cells.plain and may_have_commas(texts)]
    if not columns:
        return cells if cells.decimal == "." else replace(cells, decimal=".")
    found = {decimal_of(column) for column in columns} - {None}
    return replace(cells, decimal=found.pop() or ".") if len(found) == 1 else cells


def find_kind(cells: Cells, name: str, kind: str | None = None, decimal: str | None = None) -> Column:
    """Return what a column holds, without statistics. Its kind is one of `KINDS`, "text" or "empty".

    Codes such as `A5 21171` are texts, even if most cells of their column are numbers. Texts are categories if each
    occurs twice on average, and if there are at most `MAX_CATEGORIES`.

    Args:
        cells: the table.
        name: name of the column.
        kind: the kind that the user names; None to find it.
        decimal: the decimal mark that the user names.
    """
    if kind is None and name in cells.plain and (decimal or cells.decimal) == ".":
        return Column(name, "number")
    texts = cells.frame[name]
    count = texts.count()
    shown = decimal_of(texts) if cells.decimal == "," or may_have_commas(texts) else None
    number = Column(name, "number", decimal=decimal or shown or cells.decimal)
    if kind == "date":
        return Column(name, "date", date_format=date_format_of(texts) or "%Y-%m-%d")
    if kind is not None:
        return number if kind == "number" else Column(name, kind)
    if not count:
        return Column(name, "empty")
    if _holds_numbers(texts, number.decimal):
        return number
    if booleans(texts).count() == count:
        return Column(name, "boolean")
    if date_format := date_format_of(texts):
        return Column(name, "date", date_format=date_format)
    distinct = texts.drop_nulls().n_unique()
    return Column(name, "category" if distinct <= min(MAX_CATEGORIES, count / 2) else "text")


def _holds_numbers(texts: pl.Series, decimal: str) -> bool:
    found = numbers(texts, decimal)
    codes = texts.filter(found.is_null()).str.contains("[A-Za-z].*[0-9]|[0-9].*[A-Za-z]").sum()
    return 2 * found.count() > texts.count() and codes <= max(1, 0.02 * texts.count())


def as_written(column: Column, cells: Cells, *, is_binary: bool = False) -> Column:
    """Return a column of a run as another file writes it: with its decimal mark, if its cells show it.

    Args:
        column: the column.
        cells: the other file.
        is_binary: whether all numbers in training were 0 or 1; true and false may stand for them.
    """
    if column.kind != "number":
        return column
    texts = cells.frame[column.name]
    if is_binary and booleans(texts).count() > numbers(texts).count():
        return replace(column, kind="boolean")
    return replace(column, decimal=decimal_of(texts) or column.decimal)


def other_reading(column: Column, cells: Cells) -> str | None:
    """Return a message if a number such as 1,234 has another value with the decimal mark that is usual in the file."""
    if column.kind != "number" or cells.decimal == column.decimal or decimal_of(cells.frame[column.name]):
        return None
    texts = cells.frame[column.name]
    trained, usual = numbers(texts, column.decimal), numbers(texts, cells.decimal)
    for row in (trained != usual).arg_true().head(1):
        values_of = f"{trained[row]:.10g}, as in training; files such as this may mean {usual[row]:.10g}"
        return f"{column.name}: '{texts[row]}' is read as {values_of}"
    return None


def useless_because(column: Column, cells: Cells, is_train: np.ndarray) -> str | None:
    """Return why a network cannot learn from a column, or None if it can.

    Args:
        column: a result of `find_kind`.
        cells: the table.
        is_train: the rows for training, (rows,), bool.
    """
    if column.kind == "empty":
        return "no values"
    train = cells.frame[column.name].filter(pl.Series(is_train))
    if train.head(100).n_unique() < 2 and train.n_unique() < 2:
        return "one value in all rows"
    if column.kind == "text":
        return "texts that hardly repeat"
    if column.kind == "number" and _is_id(column, cells):
        return "an id: it numbers the rows"
    return None


def counts_rows(column: Column, cells: Cells) -> bool:
    """Return whether a column holds whole numbers, each one more than the number in the row before."""
    if column.kind != "number":
        return False
    found = values(column, cells).to_numpy()
    return bool((np.diff(found[:3]) == 1).all() and (np.diff(found) == 1).all() and found[0].is_integer())


def _is_id(column: Column, cells: Cells) -> bool:
    """Return whether whole numbers, each in one row only, have the name of an id, or count rows without a name."""
    is_unnamed = column.name in cells.unnamed
    if _ID.fullmatch(column.name) or (is_unnamed and cells.has_header):  # pandas writes its index without a name
        found = values(column, cells)
        return not found.null_count() and found.n_unique() == len(found) and bool((found == found.floor()).all())
    return bool(is_unnamed or _COUNT.fullmatch(column.name)) and counts_rows(column, cells)


def learned(column: Column, cells: Cells, train_rows: np.ndarray) -> Column:
    """Return a column with its categories, or with its median for empty cells, from the rows for training."""
    is_train = pl.Series(train_rows)
    if column.kind == "category":
        texts = cells.frame[column.name].filter(is_train)
        categories = texts.drop_nulls().unique().sort().to_list()
        return replace(column, categories=tuple(categories), has_flag=bool(texts.null_count()))
    found = values(column, cells).filter(is_train)
    median = np.median(found.drop_nulls().to_numpy()) if found.count() else 0.0
    return replace(column, fill=float(median), has_flag=bool(found.null_count()))
