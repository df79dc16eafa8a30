"""New texts for a trained network: texts, the lines of a file, or whole files. See `tables` for the rows of a table."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from firstlight.data.texts.found import text_files
from firstlight.files import read_text

EMPTY_TEXT = "the text is empty"


class NewTexts(NamedTuple):
    """Texts, and the columns that name them.

    Attributes:
        texts: the texts.
        names: the columns by which the user recognizes each text, such as `line` and `text`.
        unread: why each text gets no class, and an empty text for the others.
        messages: lines for the user that say how the texts were read.
        problems: why files could not be read, which have no text.
    """

    texts: list[str]
    names: list[dict[str, Any]]
    unread: list[str]
    messages: Sequence[str] = ()
    problems: Sequence[str] = ()


def as_lines(texts: Sequence[str], messages: Sequence[str] = ()) -> NewTexts:
    """Return texts, each named by its `line`, from 1, and its `text`."""
    names = [{"line": number, "text": text} for number, text in enumerate(texts, 1)]
    return NewTexts(list(texts), names, _empty(texts), messages)


def read_lines(path: Path) -> list[str]:
    """Return the lines of a text file.

    Raises:
        ValueError: the file cannot be read.
    """
    lines = re.split("\r\n|\r|\n", read_text(path))
    return lines[:-1] if not lines[-1] else lines


def read_files(place: Path) -> NewTexts:
    """Return the text of a file, or of each file in and below a folder, named by its `path`.

    Files of a folder that are no texts are left out, with a problem for each.

    Raises:
        ValueError: `place` is a file that cannot be read.
    """
    if place.is_file():
        texts = [read_text(place)]
        return NewTexts(texts, [{"path": str(place)}], _empty(texts), [f"{place.name}: one text, as in training"])
    texts, names, problems = [], [], []
    for path in text_files(place):
        try:
            texts.append(read_text(path))
            names.append({"path": str(path)})
        except ValueError as error:
            problems.append(str(error))
    return NewTexts(texts, names, _empty(texts), problems=problems)


def _empty(texts: Sequence[str]) -> list[str]:
    """Return the problem of each text that has nothing but white space, and an empty text for the others."""
    return ["" if text.strip() else EMPTY_TEXT for text in texts]
