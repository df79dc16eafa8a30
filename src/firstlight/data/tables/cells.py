"""The cells of a table as texts, wherever they were read from."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import polars as pl

from firstlight.data.tables.layout import EMPTY
from firstlight.data.tables.values import keep
from firstlight.files import cannot_read

# The values of a column, the rows that cannot be read, and what their cells should be.
Parsed = tuple[pl.Series, list[int], str]


@dataclass(frozen=True)
class Cells:
    """The cells of a table.

    Attributes:
        origin: name of the file, for messages.
        frame: the columns, as texts without surrounding spaces; null for empty cells.
        how: how the file was understood.
        unnamed: columns that the file does not name.
        has_header: whether the file names columns.
        decimal: decimal mark where the cells of a column do not show it.
        line_of: returns the line on which a row ends; None for files without lines.
        kept: the row of the file for each row of the frame.
        ragged: why rows of the frame have the wrong length, by the number of the row.
        parsed: results of parsing columns, which are needed several times, see `columns`.
    """

    origin: str
    frame: pl.DataFrame
    how: str = ""
    unnamed: tuple[str, ...] = ()
    has_header: bool = True
    decimal: str = "."
    line_of: Callable[[int], int] | None = None
    kept: pl.Series | None = None
    ragged: Mapping[int, str] = field(default_factory=dict)
    parsed: dict[object, Parsed] = field(default_factory=dict, repr=False)

    @cached_property
    def plain(self) -> dict[str, pl.Series]:
        """The columns with no other cells than numbers as Python writes them, float64.

        All columns are parsed in one step, which is fast for wide tables.
        """
        numbers = _in_one_step(self.frame, lambda cells: cells.cast(pl.Float64, strict=False))
        counts = {name: texts.count() for name, texts in zip(self.frame.columns, self.frame.get_columns(), strict=True)}
        return {found.name: found for found in numbers if counts[found.name] == found.count() > 0}

    @classmethod
    def of_lines(cls, origin: str, lines: Sequence[Sequence[str]]) -> "Cells":
        """Return the cells of lines, the first of which names the columns."""
        names, *rows = lines
        return cls(origin, pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row"))

    def error(self, row: int, why: str, fix: str) -> ValueError:
        """Return the error for a row of the frame, which names the row's line in the file."""
        number = row if self.kept is None else self.kept[row]
        if self.line_of is None:
            return cannot_read(self.origin, f"row {number + 1} of the data: {why}", fix)
        return cannot_read(self.origin, why, fix, line=self.line_of(number))

    def cleaned(self) -> "Cells":
        """Return the cells without surrounding spaces and quotes, with null for empty cells, and without empty rows."""
        frame = pl.DataFrame(_in_one_step(self.frame, _cleaned))
        is_kept = np.any([~column.is_null().to_numpy() for column in frame.get_columns()], axis=0)
        is_kept[list(self.ragged)] = True
        cleaned = replace(self, frame=frame, parsed={})
        if is_kept.all():
            return cleaned
        how = f"{self.how}; empty rows left out: {(~is_kept).sum():,}"
        return replace(cleaned.without(np.flatnonzero(~is_kept).tolist()), how=how)

    def without(self, rows: Collection[int]) -> "Cells":
        """Return the cells without the rows of these numbers."""
        kept = np.delete(np.arange(len(self.frame)), list(rows))
        ragged = {place: self.ragged[row] for place, row in enumerate(kept.tolist()) if row in self.ragged}
        before = pl.Series(kept) if self.kept is None else self.kept[kept]
        return replace(self, frame=self.frame[kept], kept=before, ragged=ragged, parsed={})


def _cleaned(cells: pl.Series) -> pl.Series:
    texts = cells.str.strip_chars().str.replace(r'^"(.*)"$', "$1").str.strip_chars()
    return keep(texts, ~texts.str.to_lowercase().is_in(list(EMPTY)))


def _in_one_step(frame: pl.DataFrame, function: Callable[[pl.Series], pl.Series]) -> list[pl.Series]:
    """Return the columns after a function of texts, called once, because a thousand calls take seconds."""
    height = len(frame)
    done = function(pl.concat(frame.get_columns()))
    return [done.slice(place * height, height).alias(name) for place, name in enumerate(frame.columns)]
