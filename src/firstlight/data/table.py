"""A CSV file: numbers in, a number or a class out."""

import csv
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from firstlight.data.bundled import BUNDLED, bundled_files, bundled_lines
from firstlight.data.hold_out import hold_out
from firstlight.data.source import Source
from firstlight.data.store import Arrays
from firstlight.log import logger

_LARGEST = float(np.finfo(np.float32).max)


class _Sheet(NamedTuple):
    origin: str  # for errors
    header: list[str]
    rows: list[list[str]]
    lines: list[int]  # where in the file each row ends

    def column(self, name: str) -> list[str]:
        """The cells of a column."""
        place = self.header.index(name)
        return [row[place].strip() for row in self.rows]


class Table(Source):
    """The columns of a CSV file that hold numbers; those that hold none are left out, which is told.

    The first line names the columns. A part of the rows, of each class alike, that follows from `split_seed` is for
    testing.

    Args:
        dir: of the store, and of `file` where that is not a path from the working directory.
        file: a path, or one of the tables that scikit-learn bundles: diabetes, iris, wine.
        target: name of the column to be told; None for the last one.
        classes: whether the target is a class, by its name, and not a number.
        delimiter: what stands between the cells.
        test_fraction: share of the rows for testing.
        split_seed: says which rows those are.
        kwargs: as for every source.

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
            raise ValueError(f"data.delimiter={delimiter}: one character.")
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
        """The CSV file, or scikit-learn's."""
        return bundled_files(self.file) if self.file in BUNDLED else [self._locate(self.file)]

    def read(self) -> tuple[tuple[str, ...], dict[str, Arrays]]:
        """Rows (rows, columns), float32, with classes (rows,), int64, or numbers (rows, 1), float32."""
        sheet = self._sheet()
        target = sheet.header[-1] if self.target is None else self.target
        if target not in sheet.header:
            raise ValueError(f"data.target={target}: {sheet.origin} has no such column, but {', '.join(sheet.header)}.")
        columns = {name: _numbers(sheet, name) for name in sheet.header if name != target}
        inputs = [column for column in columns.values() if column is not None]
        if not inputs:
            raise ValueError(f"{sheet.origin}: no column but the target holds numbers.")
        left_out = [name for name, column in columns.items() if column is None]
        if left_out:
            logger.warning("%s: left out, because there are no numbers in it: %s", sheet.origin, ", ".join(left_out))
        labels, targets = _classes(sheet, target) if self.classes else ((target,), _targets(sheet, target))
        drawn_by = targets if self.classes else np.zeros(len(targets))  # numbers are one class
        is_test = hold_out(drawn_by, labels, self.test_fraction, self.split_seed)
        table = np.stack(inputs, axis=1)
        return labels, {
            "train": Arrays(table[~is_test], targets[~is_test]),
            "test": Arrays(table[is_test], targets[is_test]),
        }

    def _sheet(self) -> _Sheet:
        """The cells, as many in each row as there are columns."""
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
            raise ValueError(f"{path}: not a CSV file in UTF-8 ({error}).") from error
        if not any(header) or all(_number(name) is not None for name in header):
            raise ValueError(f"{path}, line 1: it has to name the columns.")
        if len(header) == 1 and (mark := next((mark for mark in ",;\t|" if mark in header[0]), None)):
            raise ValueError(f"{path}, line 1: one column, '{header[0]}'. In a shell: 'data.delimiter=\"{mark}\"'")
        if repeated := [name for name in header if header.count(name) > 1]:
            raise ValueError(f"{path}, line 1: there are several columns '{repeated[0]}'.")
        if not numbered:
            raise ValueError(f"{path}: there is no row below the names of the columns.")
        for row, line in numbered:
            if len(row) != len(header):
                raise ValueError(
                    f"{path}, line {line}: {len(row)} values; line 1 names {len(header)} columns"
                    f" (data.delimiter='{self.delimiter}')."
                )
        return _Sheet(str(path), header, [row for row, _ in numbered], [line for _, line in numbered])


def _number(cell: str) -> float | None:
    """None for what Python alone takes for a number: `1_0`, and digits of other scripts."""
    try:
        return float(cell) if cell.isascii() and "_" not in cell else None
    except ValueError:
        return None


def _numbers(sheet: _Sheet, name: str) -> np.ndarray | None:
    """A column as (rows,), float32; None where no cell of it is a number."""
    cells = sheet.column(name)
    values = [_number(cell) for cell in cells]
    if all(value is None for value in values):
        return None
    for line, cell, value in zip(sheet.lines, cells, values, strict=True):
        if value is None or not abs(value) <= _LARGEST:
            raise ValueError(f"{sheet.origin}, line {line}: {name} is '{cell}', not a finite number.")
    return np.array(values, dtype=np.float32)


def _targets(sheet: _Sheet, name: str) -> np.ndarray:
    """The target's numbers, (rows, 1), float32."""
    column = _numbers(sheet, name)
    if column is None:
        raise ValueError(
            f"{sheet.origin}: {name}, the target, holds no numbers. data.target= names another one;"
            " data.classes=true makes classes of it, with task=classification."
        )
    return column[:, None]


def _classes(sheet: _Sheet, name: str) -> tuple[tuple[str, ...], np.ndarray]:
    """The names of the classes, numbers by their size and others by their letters; and the class of each row."""
    cells = sheet.column(name)
    for line, cell in zip(sheet.lines, cells, strict=True):
        if not cell:
            raise ValueError(f"{sheet.origin}, line {line}: {name}, the class, is empty.")
    labels = sorted(set(cells), key=lambda cell: (_number(cell) is None, _number(cell) or 0.0, cell))
    if len(labels) < 2:
        raise ValueError(f"{sheet.origin}: every row has the class '{labels[0]}'; it takes two or more.")
    return tuple(labels), np.array([labels.index(cell) for cell in cells], dtype=np.int64)
