"""A table: its columns are the inputs, and one of them is the target, a number or a class."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from firstlight.checks import check_range, choose
from firstlight.data.files.bundled import BUNDLED, bundled_files, bundled_lines
from firstlight.data.hold_out import hold_out
from firstlight.data.relabel import relabelled
from firstlight.data.source import Source
from firstlight.data.store import Arrays, Split, Store
from firstlight.data.tables.layout import delimiter_of
from firstlight.data.tables.rows import encode_rows
from firstlight.spec import Column, DataSpec

if TYPE_CHECKING:
    from firstlight.data.tables.cells import Cells

# The arguments that change the content of the store.
_OPTIONS = (
    *("target", "classes", "columns", "drop", "types", "on_empty", "delimiter", "header", "decimal", "max_gigabytes"),
    *("test_fraction", "split_seed"),
)


class Table(Source):
    """The columns of a CSV, Parquet or Excel file, one of which is the target: a number or a class.

    Numbers and dates are one input each, true and false become 1 and 0, and texts that repeat become an input for each
    text. Constant columns, ids and other texts are left out. Categories and medians come from the training split.
    `remarks` lists the columns and their use. `split_seed` selects a part of the rows for testing: the same fraction
    of each class.

    Args:
        dir: folder of the store, and of `file` if that is not in the working directory.
        file: path of the file, or the name of a table that scikit-learn bundles: diabetes, iris, wine.
        target: name of the target column; None for the last column that is not empty.
        classes: whether the target is a class and not a number; None: texts, true and false, and two numbers are
            classes.
        columns: names of the columns to learn from; None for all that are of use.
        drop: names of columns to leave out.
        types: the kind of a column by its name, where it should be another: number, category, boolean or date.
        on_empty: "fill" gives empty cells the median and adds an input that flags them; "error" refuses them.
        delimiter: the character between the cells of a text file, or its name, such as tab; None to find it.
        header: whether the first line names the columns; None to find out. Without names, they are `column_1`, ...
        decimal: the decimal mark, "." or ","; None to find it for each column.
        max_gigabytes: size of the largest file; reading takes ten times as much memory.
        test_fraction: fraction of the rows for testing.
        split_seed: seed that selects these rows.
        kwargs: see `Source`.

    Raises:
        ValueError: an argument is out of its range.
    """

    name = "table"
    stratified = True

    def __init__(
        self,
        dir: str,
        *,
        file: str = "diabetes",
        target: str | int | None = None,
        classes: bool | None = None,
        columns: Sequence[str | int] | None = None,
        drop: Sequence[str | int] = (),
        types: Mapping[str, str] | None = None,
        on_empty: str = "fill",
        delimiter: str | None = None,
        header: bool | None = None,
        decimal: str | None = None,
        max_gigabytes: float = 1.0,
        test_fraction: float = 0.2,
        split_seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(dir, **kwargs)
        choose("data.on_empty", on_empty, ("fill", "error"), "way to treat empty cells")
        if decimal not in (None, ".", ","):
            raise ValueError(f"data.decimal={decimal}: must be a point or a comma.")
        if not isinstance(types, Mapping | None):
            raise ValueError(f"data.types={types}: must be kinds by the names of columns, such as {{zip:category}}.")
        check_range("data.max_gigabytes", max_gigabytes, above=0)
        self.file = file
        self.target = None if target is None else str(target)
        self.classes = classes
        self.columns = None if columns is None else [str(name) for name in columns]
        self.drop = [str(name) for name in drop]
        self.types = {str(name): kind for name, kind in (types or {}).items()}
        self.on_empty = on_empty
        self.delimiter = None if delimiter is None else delimiter_of(delimiter)
        self.header = header
        self.decimal = decimal
        self.max_gigabytes = max_gigabytes
        self.test_fraction = test_fraction
        self.split_seed = split_seed
        self.options = {key: value for key, value in vars(self).items() if key in _OPTIONS}
        self._learned: list[Column] = []

    def files(self) -> list[Path]:
        """Return the user's file or, for a built-in data set, its files in the installed scikit-learn package."""
        return bundled_files(self.file) if self.file in BUNDLED else [self._locate(self.file)]

    def read(self) -> tuple[tuple[str, ...], dict[str, Arrays]]:
        """Return the labels (the names of the classes, or of the target column), and the arrays of all rows.

        Inputs are (rows, inputs), float32. Targets are classes (rows,), int64, or numbers (rows, 1), float32.
        """
        # Here, because importing polars takes a tenth of a second.
        from firstlight.data.tables.columns import encode
        from firstlight.data.tables.inputs import Choice, check_filled, choose_columns
        from firstlight.data.tables.kinds import with_decimal
        from firstlight.data.tables.remarks import describe_table
        from firstlight.data.tables.target import read_target

        cells = with_decimal(self._cells(), self.decimal)
        target = read_target(cells, self.target, self.classes, self.decimal)
        is_test = hold_out(target.strata, target.labels, self.test_fraction, self.split_seed)
        choice = Choice(self.columns, self.drop, self.types, self.decimal)
        inputs = choose_columns(cells, target.name, choice, ~is_test)
        if self.on_empty == "error":
            check_filled(inputs.columns, cells)
        self._learned = inputs.columns
        self.remarks += describe_table(cells, target, inputs)
        table = encode(inputs.columns, cells)
        return target.labels, {"train": Arrays(table, target.values)}

    def read_all(self, spec: DataSpec) -> Split:
        """Read all rows, encoded as those of a run; the target is searched for under the run's name.

        Rows that cannot be read are left out, with a remark.

        Raises:
            ValueError: the file cannot be read, lacks a column, or has no row that can be read; or a target is unknown.
        """
        from firstlight.data.tables.target import read_target

        cells = self._cells([column.name for column in spec.columns])
        rows = encode_rows(cells, spec)
        if len(rows.problems) == len(rows.inputs):
            number, why = next(iter(rows.problems.items()))
            raise cells.error(number, why, "correct this cell; no row can be read.")
        readable = cells.without(rows.problems) if rows.problems else cells
        name = spec.labels[0] if spec.targets == "numbers" else self.target
        target = read_target(readable, name, spec.targets == "classes", self.decimal)
        self.remarks += rows.messages
        self.remarks += [f"left out: {cells.error(row, why, 'correct it.')}" for row, why in rows.problems.items()]
        inputs = np.delete(rows.inputs, list(rows.problems), axis=0)
        split = Split(torch.from_numpy(inputs), torch.from_numpy(target.values))
        return relabelled(split, replace(spec, labels=target.labels, num_outputs=len(target.labels)), spec)

    def first_rows(self, number: int) -> list[list[str]]:
        """Return the names of the columns and the first rows, as they stand in the file."""
        frame = self._cells().frame
        return [frame.columns, *(["" if cell is None else cell for cell in row] for row in frame.head(number).rows())]

    def _with_test(self, store: Store, path: Path) -> Store:
        self._learned = list(store.spec.columns)  # the store may be one of an earlier process
        return super()._with_test(store, path)

    def describe(self, labels: tuple[str, ...], train: Arrays) -> DataSpec:
        """Return the metadata with the columns. Inputs that are 0 or 1 by their nature are not standardised."""
        from firstlight.data.tables.columns import indicators

        spec = super().describe(labels, train)
        is_kept = indicators(self._learned)
        mean, std = np.where(is_kept, 0.0, spec.mean), np.where(is_kept, 1.0, spec.std)
        return replace(spec, mean=tuple(mean.tolist()), std=tuple(std.tolist()), columns=tuple(self._learned))

    def _cells(self, known: Sequence[str] = ()) -> "Cells":
        """Return the cells of the file; for a trained network, `known` are the columns that it needs."""
        from firstlight.data.tables.cells import Cells
        from firstlight.data.tables.file import read_table

        if self.file in BUNDLED:
            return Cells.of_lines(self.file, bundled_lines(self.file))
        return read_table(
            self._locate(self.file),
            delimiter=self.delimiter,
            header=self.header,
            known=known,
            max_gigabytes=self.max_gigabytes,
            is_new=bool(known),
        )
