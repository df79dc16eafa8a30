"""How a text file lays out a table: the character between its cells, and whether the first line names the columns."""

import csv
import itertools
import re
from collections import Counter
from collections.abc import Collection, Sequence

from firstlight.checks import unknown

Rows = Sequence[Sequence[str]]

DELIMITERS = {"tab": "\t", "semicolon": ";", "pipe": "|", "comma": ",", "space": " "}
# What stands for an empty cell, in lower case.
EMPTY = ("", "?", "na", "n/a", "#n/a", "nan", "<na>", "null")
_NUMBER = re.compile(r"[+-]?[0-9]*[.,]?[0-9]+([.,' ][0-9]+)*\.?([eE][+-]?[0-9]+)?%?")
_DATE = re.compile(r"[0-9]{1,4}([-/.])[0-9]{1,2}\1[0-9]{1,4}([T ][0-9:.]+Z?)?")


def delimiter_of(word: str) -> str:
    """Return the character that `data.delimiter` means: a name in `DELIMITERS`, or the character itself.

    Raises:
        ValueError: the word is neither.
    """
    if word in (r"\t", " "):  # a shell passes the first one
        return "\t" if word == r"\t" else " "
    if len(word) == 1:
        return word
    if word not in DELIMITERS:
        if len(word) < 3:
            raise ValueError(f"data.delimiter={word}: must be one character, or {', '.join(DELIMITERS)}.")
        raise unknown("data.delimiter", word, DELIMITERS, "delimiter")
    return DELIMITERS[word]


def find_delimiter(lines: Sequence[str]) -> str | None:
    """Return the character that cuts the first lines of a file into equally many cells, or None.

    A comma comes last of the marks, because it also occurs inside numbers; spaces come after all marks.
    """
    found = {mark: rows_of(lines, mark) for mark in DELIMITERS.values()}
    lengths = {mark: Counter(map(len, rows[1:] or rows)) for mark, rows in found.items() if rows}
    named = [mark for mark in lengths if mark != " " and (len(found[mark][0]) > 1 or max(lengths[mark]) > 1)]
    marks = [mark for mark in named if max(lengths[mark]) > 1] or named
    regular = [mark for mark in marks if len(lengths[mark]) == 1]
    if not marks:
        return " " if len(lengths.get(" ", ())) == 1 and len(found[" "][0]) > 1 else None
    # Without a regular one, some lines are too short or too long, which is reported when the file is read.
    return regular[0] if regular else max(marks, key=lambda mark: max(lengths[mark].values()))


def rows_of(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    """Return the cells of the lines that are not blank."""
    if delimiter == " ":
        return [line.split() for line in lines if line.strip()]
    try:
        rows = list(csv.reader((line for line in lines if line.strip()), delimiter=delimiter))
    except csv.Error:  # a cell is too long: reading the file reports it
        return []
    return [[cell.strip() for cell in row] for row in rows]


def first_row_is_data(first: Sequence[str], rows: Rows, known: Collection[str] = ()) -> bool | None:
    """Return whether the first row holds data like the rows below it, and not the names of the columns.

    A number above numbers is data, and a text above numbers is a name. In a table of texts, the first row is data if
    most of its texts occur again below. Whole numbers that count, such as 0, 1, 2 or 1990, 1991, are names.

    Args:
        first: the first row.
        rows: rows below it.
        known: names of columns that the file should have; empty if they are unknown.

    Returns:
        None if some columns say one thing and some the other.
    """
    if known:
        return not set(first) & set(known)
    columns = [
        [cell for cell in column if cell.lower() not in EMPTY] for column in itertools.zip_longest(*rows, fillvalue="")
    ]
    pairs = [(cell, column) for cell, column in zip(first, columns, strict=False) if cell and column]
    if not pairs:
        return bool(first) and all(map(_is_number, filter(None, first)))
    above_numbers = [cell for cell, column in pairs if sum(map(_is_number, column)) > len(column) / 2]
    numbers = [cell for cell in above_numbers if _is_number(cell) or cell == "?"]
    if numbers:
        names = len(above_numbers) - len(numbers)
        return False if _counts(numbers) else None if names else True
    if above_numbers:
        return False
    return sum(cell in column for cell, column in pairs) > len(pairs) / 2


def column_names(first: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the names of the columns, each once, and the names that the row does not give: `column_<position>`.

    A name that occurs again gets a number, such as `size_2`.
    """
    names: list[str] = []
    unnamed = []
    for place, cell in enumerate(first, start=1):
        base = cell or f"column_{place}"
        others = (f"{base}_{number}" for number in itertools.count(2))
        names.append(base if base not in names else next(name for name in others if name not in {*names, *first}))
        if not cell:
            unnamed.append(names[-1])
    return names, unnamed


def _is_number(cell: str) -> bool:
    return bool(_NUMBER.fullmatch(cell) or _DATE.fullmatch(cell))


def _counts(numbers: Sequence[str]) -> bool:
    """Return whether numbers count from 0, as pandas names columns, or are consecutive years."""
    if not all(number.isdecimal() for number in numbers):
        return False
    values = [int(number) for number in numbers]
    is_consecutive = values == list(range(values[0], values[0] + len(values)))
    return is_consecutive and len(values) > 1 and (values[0] == 0 or 1800 <= values[0] < 2200)
