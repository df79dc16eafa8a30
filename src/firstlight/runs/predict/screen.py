"""Predictions on the screen: a table of the first ones, and a line for each kind of warning and problem."""

import sys
from collections.abc import Sequence
from typing import Any, TextIO

from firstlight.checks import printable
from firstlight.log import aligned

MAX_ROWS = 20
_MAX_PROBLEMS = 10
_MAX_LENGTH = 60  # characters of a name


def show(text: str, file: TextIO | None = None) -> None:
    """Print a text on any terminal: characters that its encoding lacks are escaped."""
    stream = file or sys.stdout
    encoding = stream.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding), file=stream)


def name_of(names: dict[str, Any]) -> list[str]:
    """Return the columns that name an input as short texts: the end of a long path, the beginning of a long text."""
    texts = [(key, printable(str(value))) for key, value in names.items()]
    return [
        text if len(text) <= _MAX_LENGTH else f"…{text[1 - _MAX_LENGTH :]}" if key == "path" else f"{text[:59]}…"
        for key, text in texts
    ]


def predictions_table(lines: Sequence[Sequence[str]], number: int) -> str:
    """Return a table of the first predictions.

    Args:
        lines: the texts of each of the first predictions.
        number: number of all predictions.
    """
    shown = aligned([[printable(cell) for cell in line] for line in lines[:MAX_ROWS]])
    return shown if number <= MAX_ROWS else f"{shown}\n… and {number - MAX_ROWS:,} more"


def problems_text(problems: Sequence[str]) -> list[str]:
    """Return a line for each of the first inputs that could not be read."""
    lines = [f"left out: {problem}" for problem in problems[:_MAX_PROBLEMS]]
    rest = len(problems) - _MAX_PROBLEMS
    return [*lines, f"left out: {rest:,} more, which have no row in the file"] if rest > 0 else lines


def warnings_text(warnings: Sequence[tuple[dict[str, Any], str]], number: int) -> list[str]:
    """Return a line for each kind of warning, with its number and an example.

    Args:
        warnings: the names of an input and a text "kind: why", for each warning.
        number: number of all predictions.
    """
    kinds: dict[str, list[str]] = {}
    for names, warning in warnings:
        kind, _, why = warning.partition(": ")
        kinds.setdefault(kind, []).append(printable(why) if number == 1 else f"{printable(why)} ({name_of(names)[0]})")
    of_all = "" if number == 1 else f" of {number:,}"
    return [f"warning: {f'{len(whys):,}{of_all} ' if of_all else ''}{kind}: {whys[0]}" for kind, whys in kinds.items()]
