"""Rows of a table as inputs."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from firstlight.data.tables.rows import read_table_rows
from firstlight.runs.predict.inputs import InputBatch, check_kind
from firstlight.runs.predict.screen import show
from firstlight.spec import DataSpec

_FAR = 10  # standard deviations; by Chebyshev's inequality at most 1 % of any distribution lie further from the mean


class TableInputs:
    """The rows of a table. They need the columns that the network was trained on, and no target.

    Rows that cannot be read have no prediction.

    Args:
        source: path of the table.
        spec: the data that the network was trained on.

    Raises:
        ValueError: the table cannot be read, or lacks a column.
    """

    unit = "row"
    sheet_path: Path | None = None

    def __init__(self, source: Path, spec: DataSpec) -> None:
        check_kind(source, "numbers")
        self.problems: list[str] = []
        if not spec.columns:
            raise ValueError(f"input={source}: must be for a run that names its columns. To fix: train the run again.")
        self.rows, messages, self.unread = read_table_rows(source, spec)
        if len(self.unread) == len(self.rows):
            self.problems += [f"row {row + 1}: {why}" for row, why in self.unread.items()]
        for message in messages:
            show(message)
        self.spec = spec
        self.numbers = _number_names(spec)

    def __len__(self) -> int:
        return len(self.rows)

    def batches(self, batch_size: int) -> Iterator[InputBatch]:
        """Yield numbers (batch, columns), float32."""
        for start in range(0, 0 if self.problems else len(self.rows), batch_size):
            rows = self.rows[start : start + batch_size]
            names = [{"row": number} for number in range(start + 1, start + len(rows) + 1)]
            warnings = [[*far, *new] for far, new in zip(self._far(rows), self._unknown(rows), strict=True)]
            unread = [self.unread.get(number, "") for number in range(start, start + len(rows))]
            yield InputBatch(names, torch.from_numpy(rows), warnings, unread)

    def _unknown(self, rows: np.ndarray) -> list[list[str]]:
        """Return a warning for each row and column whose cell is none of the categories of the training split."""
        found: list[list[str]] = [[] for _ in rows]
        start = 0
        for column in self.spec.columns:
            end = start + column.num_inputs
            if column.kind == "category":
                for row in np.flatnonzero(~rows[:, start:end].any(axis=1)):
                    found[row].append(f"unlike training: {column.name} has an unknown category")
            start = end
        return found

    def _far(self, rows: np.ndarray) -> list[list[str]]:
        """Return a warning for each row with a number that is far from the training split's."""
        distances = np.abs(rows - np.array(self.spec.mean)) / np.array(self.spec.std)
        distances[:, [name is None for name in self.numbers]] = 0
        return [
            [f"unlike training: {self.numbers[column]} is {row[column]:.0f} standard deviations from its mean"]
            if row[column] > _FAR
            else []
            for row, column in zip(distances, distances.argmax(1), strict=True)
        ]


def _number_names(spec: DataSpec) -> list[str | None]:
    """Return the name of each input that is a number, and None for those that code a category or an empty cell."""
    names: list[str | None] = []
    for column in spec.columns:
        is_number = column.kind in ("number", "date")
        names += [column.name if is_number else None, *[None] * (column.num_inputs - 1)]
    return names
