"""A CSV file: numbers in, a number or a class out."""

import csv
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from firstlight.checks import unknown
from firstlight.data.bundled import BUNDLED, bundled_files, bundled_lines
from firstlight.data.hold_out import hold_out
from firstlight.data.source import Source
from firstlight.data.store import Arrays
from firstlight.files import cannot_read
from firstlight.log import logger

_LARGEST = float(np.finfo(np.float32).max)


class _Sheet(NamedTuple):
    origin: str  # name of the file, for error messages
    header: list[str]
    rows: list[list[str]]
    lines: list[int]  # line number of the end of each row

    def column(self, name: str) -> list[str]:
        """Return the cells of a column, without surrounding spaces."""
        place = self.header.index(name)
        return [row[place].strip() for row in self.rows]


class Table(Source):
    """The numeric columns of a CSV file, with a number or a class as target.

    The first line names the columns. Columns without numbers are left out with a warning. `split_seed` selects a part
    of the rows for testing: the same fraction of each class.

    Args:
        dir: folder of the store, and of `file` if that is not in the working directory.
        file: path of the file, or the name of a table that scikit-learn bundles: diabetes, iris, wine.
        target: name of the target column; None for the last column.
        classes: whether the target is a class and not a number.
        delimiter: the character between the cells.
        test_fraction: fraction of the rows for testing.
        split_seed: seed that selects these rows.
        kwargs: see `Source`.

    Raises:
        ValueError: an argument is out of its range.
    """

    name = "table"

    def __init__(
        self,
        dir: str,
        *,
        file: str = "diabetes",
        target: str | None = None,
        classes: bool = False,
        delimiter: str = ",",
        test_fraction: float = 0.2,
        split_seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(dir, **kwargs)
        if len(delimiter) != 1:
            raise ValueError(f"data.delimiter={delimiter}: must be one character.")
        self.file = file
        self.target = target
        self.classes = self.stratified = classes
        self.delimiter = delimiter
        self.test_fraction = test_fraction
        self.split_seed = split_seed
        self.options = {
            "target": target,
            "classes": classes,
            "delimiter": delimiter,
            "test_fraction": test_fraction,
            "split_seed": split_seed,
        }

    def files(self) -> list[Path]:
        """Return the user's CSV file or, for a built-in data set, its files in the installed scikit-learn package."""
        return bundled_files(self.file) if self.file in BUNDLED else [self._locate(self.file)]

    def read(self) -> tuple[tuple[str, ...], dict[str, Arrays]]:
        """Return the labels (the names of the classes, or of the target column), and the arrays of each split.

        Inputs are (rows, columns), float32. Targets are classes (rows,), int64, or numbers (rows, 1), float32.
        """
        sheet = self._sheet()
        target = sheet.header[-1] if self.target is None else self.target
        if target not in sheet.header:
            raise unknown("data.target", str(target), sheet.header, f"column of {sheet.origin}")
        columns = {name: _numbers(sheet, name) for name in sheet.header if name != target}
        inputs = [column for column in columns.values() if column is not None]
        if not inputs:
            raise cannot_read(sheet.origin, "only the target column has numbers", "add a numeric column.")
        left_out = [name for name, column in columns.items() if column is None]
        if left_out:
            logger.warning("%s: columns without numbers are left out: %s", sheet.origin, ", ".join(left_out))
        labels, targets = _classes(sheet, target) if self.classes else ((target,), _targets(sheet, target))
        strata = targets if self.classes else np.zeros(len(targets))  # rows with numeric targets form one class
        is_test = hold_out(strata, labels, self.test_fraction, self.split_seed)
        table = np.stack(inputs, axis=1)
        return labels, {
            "train": Arrays(table[~is_test], targets[~is_test]),
            "test": Arrays(table[is_test], targets[is_test]),
        }

    def _sheet(self) -> _Sheet:
        """Read the cells of the table, and check that all rows have the same length."""
        if self.file in BUNDLED:
            lines = bundled_lines(self.file)
            return _Sheet(self.file, lines[0], lines[1:], list(range(2, len(lines) + 1)))
        path = self._locate(self.file)
        try:
            with path.open(newline="", encoding="utf-8-sig") as file:
                reader = csv.reader(file, delimiter=self.delimiter)
                header = [name.strip() for name in next(reader, [])]
                numbered = [(row, reader.line_num) for row in reader if row]
        except (csv.Error, UnicodeDecodeError) as error:
            raise cannot_read(path, str(error), "save the table as CSV in UTF-8.") from error
        if not any(header) or all(_number(name) is not None for name in header):
            raise cannot_read(path, "it does not name the columns", "write the names of the columns.", line=1)
        if len(header) == 1 and (mark := next((mark for mark in ",;\t|" if mark in header[0]), None)):
            raise cannot_read(
                path, f"one column, '{header[0]}'", f"""write 'data.delimiter="{mark}"' in a shell.""", line=1
            )
        if repeated := [name for name in header if header.count(name) > 1]:
            raise cannot_read(path, f"several columns '{repeated[0]}'", "rename these columns.", line=1)
        if not numbered:
            raise cannot_read(path, "there are no rows below the names of the columns", "add rows.")
        for row, line in numbered:
            if len(row) != len(header):
                why = f"{len(row)} values, but {len(header)} columns"
                raise cannot_read(path, why, f"separate the values by '{self.delimiter}' (data.delimiter).", line)
        return _Sheet(str(path), header, [row for row, _ in numbered], [line for _, line in numbered])


def _number(cell: str) -> float | None:
    """Return the number in a cell, or None; `1_0` and digits of other scripts are not numbers, unlike in Python."""
    try:
        return float(cell) if cell.isascii() and "_" not in cell else None
    except ValueError:
        return None


def _numbers(sheet: _Sheet, name: str) -> np.ndarray | None:
    """Return a column as (rows,), float32, or None if none of its cells is a number."""
    cells = sheet.column(name)
    values = [_number(cell) for cell in cells]
    if all(value is None for value in values):
        return None
    for line, cell, value in zip(sheet.lines, cells, values, strict=True):
        if value is None or not abs(value) <= _LARGEST:
            raise cannot_read(sheet.origin, f"{name} is '{cell}'", "write a finite number.", line)
    return np.array(values, dtype=np.float32)


def _targets(sheet: _Sheet, name: str) -> np.ndarray:
    """Return the numbers of the target column, (rows, 1), float32."""
    column = _numbers(sheet, name)
    if column is None:
        fix = "name another column with data.target=, or use data.classes=true task=classification"
        raise cannot_read(sheet.origin, f"the target column {name} has no numbers", fix)
    return column[:, None]


def _classes(sheet: _Sheet, name: str) -> tuple[tuple[str, ...], np.ndarray]:
    """Return the sorted names of the classes (numbers by value), and the class of each row."""
    cells = sheet.column(name)
    for line, cell in zip(sheet.lines, cells, strict=True):
        if not cell:
            raise cannot_read(sheet.origin, f"the class {name} is empty", "write a class.", line)
    labels = sorted(set(cells), key=lambda cell: (_number(cell) is None, _number(cell) or 0.0, cell))
    if len(labels) < 2:
        raise cannot_read(sheet.origin, f"all rows have the class '{labels[0]}'", "add rows of another class.")
    return tuple(labels), np.array([labels.index(cell) for cell in cells], dtype=np.int64)
