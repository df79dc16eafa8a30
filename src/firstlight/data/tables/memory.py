"""Tables that are already in memory: rows, columns, or the data frame of another library."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from firstlight.data.tables.cells import Cells

_ORIGIN = "the rows"


def cells_in_memory(data: Any) -> Cells:
    """Return the cells of a table as texts, so that it goes the way of a file. Numbers keep all their digits.

    Args:
        data: a row, as a mapping from the names of the columns to values; a list of such rows; a mapping to lists of
            values; or a data frame of polars or pandas. None and NaN are empty cells.

    Raises:
        ValueError: it is something else, or the columns have different lengths.
    """
    columns = _columns(data)
    if len({len(values) for values in columns.values()}) != 1:
        raise ValueError("input: must be rows, a mapping of columns of one length, or a data frame.")
    texts = {name: pl.Series(name, [_text(value) for value in values], pl.String) for name, values in columns.items()}
    return Cells(_ORIGIN, pl.DataFrame(texts), "in memory").cleaned()


def _columns(data: Any) -> dict[str, Sequence[Any]]:
    if isinstance(data, Mapping):
        data = data if any(isinstance(value, list | tuple | np.ndarray) for value in data.values()) else [data]
    if isinstance(data, list) and data and all(isinstance(row, Mapping) for row in data):
        names = dict.fromkeys(name for row in data for name in row)
        return {str(name): [row.get(name) for row in data] for name in names}
    if isinstance(data, Mapping) or hasattr(data, "columns"):
        return {str(name): list(data[name]) for name in (data if isinstance(data, Mapping) else data.columns)}
    raise ValueError(f"input: must be rows, a mapping of columns or a data frame, not {type(data).__name__}.")


def _text(value: Any) -> str | None:
    """Return a value as a file would hold it; None for an empty cell."""
    if value is None or value != value:  # NaN, and pandas' NaT
        return None
    if isinstance(value, bool | np.bool_):
        return str(bool(value)).lower()
    if isinstance(value, date):
        return value.isoformat().removesuffix("T00:00:00")
    return str(value.item() if isinstance(value, np.generic) else value)
