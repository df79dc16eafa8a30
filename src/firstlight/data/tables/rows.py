"""New rows of a table as inputs of a trained network."""

from pathlib import Path

import numpy as np

from firstlight.checks import suggestion
from firstlight.files import cannot_read
from firstlight.spec import DataSpec


def read_table_rows(path: Path, spec: DataSpec) -> tuple[np.ndarray, list[str]]:
    """Read rows as a run's network was trained on them. The columns are found by their names.

    Args:
        path: a CSV, Parquet or Excel file. It needs neither the target nor the columns that training left out.
        spec: the spec of the run.

    Returns:
        The inputs (rows, inputs), float32, and messages for the user: empty cells that got a value, unknown
        categories, ignored columns.

    Raises:
        ValueError: the file cannot be read, lacks a column, or has a cell that cannot be read.
    """
    # Here, because importing polars takes a tenth of a second.
    from firstlight.data.tables.columns import encode, surprises
    from firstlight.data.tables.file import read_table
    from firstlight.data.tables.kinds import as_written, other_reading, with_decimal

    names = [column.name for column in spec.columns]
    cells = with_decimal(read_table(path, known=names), None)
    missing = [name for name in names if name not in cells.frame.columns]
    if missing:
        found = suggestion(missing[0], [name for name in cells.frame.columns if name not in names])
        why = f"{len(missing)} of {len(names)} columns are missing, such as '{missing[0]}'{found}"
        raise cannot_read(path, why.rstrip("."), "name the columns as in training.")
    ignored = [name for name in cells.frame.columns if name not in {*names, *spec.labels}]
    columns = [as_written(column, cells) for column in spec.columns]
    messages = surprises(columns, cells)
    messages += [message for column in columns if (message := other_reading(column, cells))]
    for column, trained in zip(columns, spec.columns, strict=True):
        if column.decimal != trained.decimal:
            messages.append(f"{column.name}: the decimal mark is '{column.decimal}', in training '{trained.decimal}'")
    if ignored:
        more = f" and {len(ignored) - 5} more" if len(ignored) > 5 else ""
        messages.append(f"columns that training did not use are ignored: {', '.join(ignored[:5])}{more}")
    return encode(columns, cells), messages
