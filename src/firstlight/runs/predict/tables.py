"""Rows of a table as inputs."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import numpy as np
import torch

from firstlight.data.tables.rows import read_table_rows
from firstlight.runs.predict.inputs import InputBatch, check_kind
from firstlight.runs.predict.screen import show
from firstlight.spec import DataSpec

_FAR = 10  # standard deviations; by Chebyshev's inequality at most 1 % of any distribution lie further from the mean


class TableInputs:
    """The rows of a table. Rows that cannot be read have no prediction.

    Args:
        rows: inputs of the network (rows, inputs), float32.
        spec: the data that the network was trained on.
        unread: why rows cannot be read, by the number of the row, from 0.
    """

    unit = "row"
    sheet_path: Path | None = None

    def __init__(self, rows: np.ndarray, spec: DataSpec, unread: Mapping[int, str] = MappingProxyType({})) -> None:
        is_useless = len(unread) == len(rows) > 0
        self.problems = [f"row {row + 1}: {why}" for row, why in unread.items()] if is_useless else []
        self.rows = rows
        self.unread = unread
        self.spec = spec
        self.numbers = _number_names(spec)

    @classmethod
    def read(cls, source: Any, spec: DataSpec) -> Self:
        """Read rows that have the columns on which the network was trained; they need no target.

        Args:
            source: path of the table, or rows in memory, see `data.tables.memory`.
            spec: the data that the network was trained on.

        Raises:
            ValueError: the table cannot be read, or lacks a column.
        """
        if isinstance(source, Path):
            check_kind(source, "numbers")
        if not spec.columns:
            raise ValueError(f"input={source}: must be for a run that names its columns. To fix: train the run again.")
        rows, messages, unread = read_table_rows(source, spec)
        for message in messages:
            show(message)
        return cls(rows, spec, unread)

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
    if not spec.columns:
        return [f"column {number}" for number in range(1, 1 + spec.input_shape[0])]
    names: list[str | None] = []
    for column in spec.columns:
        is_number = column.kind in ("number", "date")
        names += [column.name if is_number else None, *[None] * (column.num_inputs - 1)]
    return names
