"""New rows of a table as inputs of a trained network."""

from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from firstlight.checks import suggestion
from firstlight.files import cannot_read
from firstlight.spec import Column, DataSpec

if TYPE_CHECKING:
    from firstlight.data.tables.cells import Cells

_MAX_NAMES = 8  # columns that a message names


class NewRows(NamedTuple):
    """Rows as a run's network was trained on them.

    Attributes:
        inputs: (rows, inputs), float32; 0 in rows that cannot be read.
        messages: lines for the user: empty cells that got a value, unknown categories, ignored columns.
        problems: why rows cannot be read, by the number of the row, from 0.
    """

    inputs: np.ndarray
    messages: list[str]
    problems: dict[int, str]


def read_table_rows(source: Any, spec: DataSpec) -> NewRows:
    """Read rows as a run's network was trained on them. The columns are found by their names.

    Args:
        source: path of a CSV, Parquet or Excel file, or rows in memory, see `data.tables.memory.cells_in_memory`. They
            need neither the target nor the columns that training left out.
        spec: the spec of the run.

    Raises:
        ValueError: the file cannot be read, or lacks a column.
    """
    # Here, because importing polars takes a tenth of a second.
    from firstlight.data.tables.file import read_table
    from firstlight.data.tables.memory import cells_in_memory

    names = [column.name for column in spec.columns]
    is_file = isinstance(source, Path)
    return encode_rows(read_table(source, known=names, is_new=True) if is_file else cells_in_memory(source), spec)


def encode_rows(cells: "Cells", spec: DataSpec) -> NewRows:
    """Encode the rows of a table as a run's network was trained on them; see `read_table_rows`."""
    from firstlight.data.tables.columns import encode, surprises, unreadable
    from firstlight.data.tables.kinds import as_written, other_reading, with_decimal

    cells = with_decimal(cells, None)
    names = [column.name for column in spec.columns]
    if missing := [name for name in names if name not in cells.frame.columns]:
        raise _missing(cells, names, missing)
    pairs = zip(spec.columns, _are_binary(spec), strict=True)
    columns = [as_written(column, cells, is_binary=is_binary) for column, is_binary in pairs]
    problems = unreadable(columns, cells)
    readable = cells.without(problems) if problems else cells
    messages = surprises(columns, readable)
    messages += [message for column in columns if (message := other_reading(column, readable))]
    messages += [*_other_notation(spec.columns, columns), *_ignored(cells, spec)]
    inputs = np.zeros((len(cells.frame), sum(column.num_inputs for column in columns)), dtype=np.float32)
    inputs[np.delete(np.arange(len(inputs)), list(problems))] = encode(columns, readable)
    return NewRows(inputs, messages, problems)


def _are_binary(spec: DataSpec) -> list[bool]:
    """Return for each column whether it is a number that was 0 or 1 in training: the mean of its squares is its mean.

    Other distributions have this property by chance only.
    """
    places = accumulate((column.num_inputs for column in spec.columns), initial=0)
    moments = [(spec.mean[place], spec.std[place]) for _, place in zip(spec.columns, places, strict=False)]
    return [0 < mean < 1 and abs(mean * (1 - mean) - std * std) < 0.01 for mean, std in moments]


def _missing(cells: "Cells", names: Sequence[str], missing: Sequence[str]) -> ValueError:
    """Return the error for a table that lacks columns."""
    width, needed = cells.frame.width, f"{len(names)} columns: {_listed(names)}"
    others = [name for name in cells.frame.columns if name not in names]
    found = suggestion(missing[0], others) if others else ""
    why = f"{len(missing)} of {len(names)} columns are missing, such as '{missing[0]}'{found}".rstrip(".")
    fix = "name the columns as in training."
    if not cells.has_header:
        why = f"it has {width} columns without names, and the run needs {needed}"
        fix = "write the names of its columns in the first line."
        if all(name.startswith("column_") for name in names):  # trained on a file without names
            fix = "give each column the position that it had in training, where the target counts too."
    return cannot_read(cells.origin, why, fix)


def _other_notation(trained: Sequence[Column], columns: Sequence[Column]) -> list[str]:
    messages = []
    for before, now in zip(trained, columns, strict=True):
        if now.decimal != before.decimal:
            messages.append(f"{now.name}: the decimal mark is '{now.decimal}', in training '{before.decimal}'")
        if now.kind != before.kind:
            messages.append(f"{now.name}: true and false are read as 1 and 0")
    return messages


def _ignored(cells: "Cells", spec: DataSpec) -> list[str]:
    names = [column.name for column in spec.columns]
    ignored = [name for name in cells.frame.columns if name not in {*names, *spec.labels}]
    if not ignored:
        return []
    place = (
        "" if cells.has_header else f"; of the {cells.frame.width} columns without names, the run needs {len(names)}"
    )
    return [f"columns that training did not use are ignored: {_listed(ignored, 5)}{place}"]


def _listed(names: Sequence[str], most: int = _MAX_NAMES) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
