"""Read a table from a text file: CSV and its relatives."""

import csv
import io
import itertools
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from firstlight.data.tables.cells import Cells
from firstlight.data.tables.layout import DELIMITERS, column_names, find_delimiter, first_row_is_data, rows_of
from firstlight.files import cannot_read, open_unpacked, read_text

_LONGEST_LINE = 1 << 20  # bytes of the first line
_SAMPLED_LINES = 1000
_EXCEL = b"\xd0\xcf\x11\xe0"  # the first bytes of an .xls file


@dataclass(frozen=True)
class _Text:
    """The text of a file, cut at its first row: `skipped` lines are before `body`."""

    path: Path
    body: str
    skipped: int
    delimiter: str

    def rows(self) -> Any:  # a reader, whose class csv does not name
        return csv.reader(io.StringIO(self.body, newline=""), delimiter=self.delimiter)

    def line_of(self, row: int) -> int:
        """Return the number of the line on which a row ends."""
        reader = self.rows()
        next(itertools.islice(reader, row, None))
        return self.skipped + reader.line_num


def read_delimited(
    path: Path,
    delimiter: str | None,
    header: bool | None,
    known: Collection[str],
    *,
    max_gigabytes: float = 1.0,
    is_new: bool = False,
) -> Cells:
    """Return the cells of a text file, see `read_table`.

    Raises:
        ValueError: the file is no text, its lines are too long, or its rows have different lengths.
    """
    _check_head(path)
    remarks: list[str] = []
    fix = "use fewer rows." if is_new else "set data.max_gigabytes if the memory holds it, or use fewer rows."
    text = read_text(path, remarks, int(max_gigabytes * 1e9), fix)
    if "\n " in text:
        text = re.sub(r"(?m)^ +$", "", text)
    text, skipped, delimiter = _without_preamble(text.rstrip("\n"), delimiter)
    lines = _first_lines(text)
    mark = delimiter or find_delimiter(lines)
    if mark is None:
        if not text.strip():
            raise cannot_read(path, "it is empty", "write the names of the columns, and the rows.")
        why = f"one column, '{next(line for line in lines if line.strip()).strip()[:60]}'"
        fix = 'name the character between the columns, as in data.delimiter=";".'
        raise cannot_read(path, why, "separate the columns by commas." if is_new else fix, line=1)
    name = next((name for name, known_mark in DELIMITERS.items() if known_mark == mark), f"'{mark}'")
    rows = rows_of(lines, mark)
    if mark == " ":  # any number of spaces
        text, mark = "\n".join("\t".join(line.split()) for line in text.split("\n")), "\t"
    has_header = _has_header(path, rows, header, known)
    given = _full_header(path, rows) if has_header else [""] * max(map(len, rows))
    names, unnamed = column_names(given)
    whole = _Text(path, text, skipped, mark)
    if has_header:
        whole = _without_first_row(whole)
    how = f"separated by {name}"
    how += "".join(f"; {line.partition(': ')[2]}" for line in remarks if "line ends" not in line)
    if not has_header:
        how += f"; line {1 + skipped} is data (data.header=false), so the columns are named by their positions"
    if repeated := [name for name, cell in zip(names, given, strict=True) if cell not in ("", name)]:
        how += f"; names that occur again become {', '.join(repeated)}"
    decimal = "," if mark == ";" else "."
    frame, ragged = _frame(whole, names, name, is_new)
    return Cells(str(path), frame, how, tuple(unnamed), has_header, decimal, whole.line_of, ragged=ragged)


def _first_lines(text: str) -> list[str]:
    head = text[:_LONGEST_LINE]
    lines = head.split("\n")[:_SAMPLED_LINES]
    return lines if len(text) == len(head) or len(lines) < 2 else lines[:-1]


def _check_head(path: Path) -> None:
    """Check that a file is text whose first line ends soon, before all of it is read."""
    with open_unpacked(path) as file:
        head = file.read(_LONGEST_LINE + 1)
    if head.startswith(_EXCEL):
        raise cannot_read(path, "it is an Excel file", "name it .xls.")
    if len(head) > _LONGEST_LINE and not re.search(rb"[\r\n]", head):
        raise cannot_read(path, "longer than a megabyte", "write each row on a line of its own.", line=1)


def _without_preamble(text: str, delimiter: str | None) -> tuple[str, int, str | None]:
    """Return the text without blank lines before the table, the number of these lines, and the delimiter.

    Excel reads a first line such as `sep=;`, which names the delimiter.
    """
    found = re.match(r'\s*"?sep=(.)"?[ \t]*\n', text) or re.match(r"(?:[ \t]*\n)*", text)
    assert found is not None
    if found.groups() and delimiter is None:
        delimiter = found[1]
    return text[found.end() :], found[0].count("\n"), delimiter


def _has_header(path: Path, rows: Sequence[Sequence[str]], header: bool | None, known: Collection[str]) -> bool:
    """Return whether the first row names the columns.

    Raises:
        ValueError: it cannot be found out, and `header` does not say it.
    """
    if not rows:
        raise cannot_read(path, "it does not name the columns", "write the names of the columns.", line=1)
    if header is not None:
        return header
    is_data = first_row_is_data(rows[0], rows[1:], known)
    if is_data is None:
        fix = "set data.header=true if it names the columns, and data.header=false if it is data."
        raise cannot_read(path, "some of its cells look like names of columns, and some like data", fix, line=1)
    return not is_data


def _full_header(path: Path, rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the first row, with an empty name where it has one cell less than all other rows.

    R does not name the column of the row names, and some programs end each row, but not the header, by a delimiter.

    Raises:
        ValueError: the first row is shorter than all other rows, as a title or a comment is.
    """
    first, others = list(rows[0]), rows[1:]
    lengths = {len(row) for row in others}
    if len(lengths) != 1 or max(lengths) <= len(first):  # rows that are too short are reported with their lines
        return first
    if lengths != {len(first) + 1} or len(first) == 1:
        why = f"{len(first)} values, but {max(lengths)} in the rows below"
        raise cannot_read(path, why, "write the names of all columns; remove titles and comments above them.", line=1)
    return [*first, ""] if all(not row[-1] for row in others) else ["", *first]


def _without_first_row(whole: _Text) -> _Text:
    reader = whole.rows()
    next(reader)
    start = 0
    for _ in range(reader.line_num):
        start = whole.body.find("\n", start) + 1 or len(whole.body)
    return _Text(whole.path, whole.body[start:].rstrip("\n"), whole.skipped + reader.line_num, whole.delimiter)


def _frame(whole: _Text, names: Sequence[str], delimiter: str, is_new: bool) -> tuple[pl.DataFrame, dict[int, str]]:
    """Return the rows of a text as columns of texts, and why rows are too short or too long, for new rows.

    Raises:
        ValueError: a row is shorter or longer than the others, and not new; the message names its line.
    """
    schema = dict.fromkeys(names, pl.String)
    if not whole.body.strip():
        return pl.DataFrame(schema=schema), {}
    # polars 2 counts the columns in the first line. Of several columns, an empty line is no row; of one, it is.
    body = whole.body.lstrip("\n") if len(names) > 1 else whole.body
    try:
        frame = pl.read_csv(body.encode(), has_header=False, separator=whole.delimiter, schema=schema, quote_char='"')
    except pl.exceptions.PolarsError as error:
        if is_new and (found := _with_ragged(whole, names)):
            return found
        _check_lengths(whole, len(names), delimiter if is_new else f"{delimiter} (data.delimiter)")
        raise cannot_read(whole.path, str(error).splitlines()[0], "save the table again as CSV.") from error
    # polars completes short rows without a word. Every row has the right length if the delimiters add up.
    num_delimiters = len(frame) * (len(names) - 1)
    if '"' in whole.body or whole.body.count(whole.delimiter) != num_delimiters:
        if is_new and (found := _with_ragged(whole, names)):
            return found
        _check_lengths(whole, len(names), delimiter if is_new else f"{delimiter} (data.delimiter)")
    return frame, {}


def _with_ragged(whole: _Text, names: Sequence[str]) -> tuple[pl.DataFrame, dict[int, str]] | None:
    """Return all rows, and why some have the wrong length; None if most rows have, or none, or quotes do not match."""
    try:
        rows = list(whole.rows())
    except csv.Error:
        return None
    width = len(names)
    ragged = {n: f"{len(row)} values, not {width}" for n, row in enumerate(rows) if row and len(row) != width}
    if not 0 < len(ragged) <= len(rows) / 2:
        return None
    padded = [[*row[:width], *[None] * (width - len(row))] for row in rows]
    return pl.DataFrame(padded, schema=dict.fromkeys(names, pl.String), orient="row"), ragged


def _check_lengths(whole: _Text, width: int, delimiter: str) -> None:
    reader = whole.rows()
    try:
        for row in reader:
            if row and len(row) != width:
                line = whole.skipped + reader.line_num
                fix = f"separate the values by {delimiter}, and quote values that contain it."
                if len(row) < width:
                    fix = "write the missing values, or remove the row. A value that is not known is empty."
                raise cannot_read(whole.path, f"{len(row)} values, but {width} columns", fix, line)
    except csv.Error as error:
        line = whole.skipped + reader.line_num
        raise cannot_read(whole.path, str(error), "close each quoted value by a quote.", line) from error
