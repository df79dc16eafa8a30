"""Tables of texts and labels: which column holds the texts, and which their labels."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from firstlight.checks import suggestion, unknown
from firstlight.data.tables.layout import DELIMITERS
from firstlight.data.texts.found import TYPED, LabelledTexts
from firstlight.data.texts.new import EMPTY_TEXT, NewTexts
from firstlight.files import cannot_read, read_text

if TYPE_CHECKING:
    import polars as pl

    from firstlight.data.tables.cells import Cells

_TEXTS = ("text", "texts", "sentence", "message", "mail", "email", "body", "content", "review", "document", "tweet")
_LABELS = ("label", "labels", "class", "category", "target", "sentiment", "topic")


class TableOptions(NamedTuple):
    """How a table of texts is read.

    Attributes:
        text: name of the column of texts; None for the one with a usual name, or with the longest texts.
        label: name of the column of labels; None for the one with a usual name, or with the fewest different cells.
        delimiter: see `read_table`.
        header: see `read_table`.
        max_gigabytes: see `read_table`.
    """

    text: str | None = None
    label: str | None = None
    delimiter: str | None = None
    header: bool | None = None
    max_gigabytes: float = 1.0


def read_labelled_table(
    path: Path, text: str | None, label: str | None, delimiter: str | None, header: bool | None, max_gigabytes: float
) -> LabelledTexts:
    """Return the texts and labels in a table, see `read_table`.

    Args:
        path: the file.
        text: name of the column of texts; None for the one with a usual name, or with the longest texts.
        label: name of the column of labels; None for the one with a usual name, or with the fewest different cells.
        delimiter: see `read_table`.
        header: see `read_table`.
        max_gigabytes: see `read_table`.

    Raises:
        ValueError: the file cannot be read, lacks a column, or has a text without a label.
    """
    options = TableOptions(text, label, delimiter, header, max_gigabytes)
    cells = _read(path, options)
    texts, labels = _columns(path, cells.frame, text, label)
    if _is_first_row_data(cells, labels, options):
        cells = _read(path, options._replace(header=False))
        texts, labels = _columns(path, cells.frame, text, label)
    empty = cells.frame[labels].is_null()
    if empty.any():
        raise cells.error(empty.arg_max() or 0, f"no label in column {labels!r}", "add one, or delete the row.")
    remark = f"{path.name}: {cells.how}; texts in column {texts!r}, labels in column {labels!r}"
    return LabelledTexts(cells.frame[texts].fill_null("").to_list(), cells.frame[labels].to_list(), [remark])


def read_new_table(path: Path, options: TableOptions) -> NewTexts:
    """Return the texts in a table for a trained network, each named by its `row`, from 1, and its `text`.

    The column is found as `read_labelled_table` finds it; the table needs no labels. Texts that are empty and rows of a
    wrong length cannot be read.

    Args:
        path: the file.
        options: how the tables of the training were read.

    Raises:
        ValueError: the file cannot be read, or has no column of texts.
    """
    if options.delimiter is None and _has_one_column(path, int(options.max_gigabytes * 1e9)):
        options = options._replace(delimiter=",")  # no more are needed, and it shows no delimiter
    cells = _read(path, options, is_new=True)
    column = _text_column(cells, options)
    others = [name for name in cells.frame.columns if name != column and cells.frame[name].count()]
    if others and _is_first_row_data(cells, _label_column(cells.frame, options.label, others), options):
        cells = _read(path, options._replace(header=False), is_new=True)
        column = _text_column(cells, options)
    texts = cells.frame[column].fill_null("").to_list()
    numbers = range(len(texts)) if cells.kept is None else cells.kept.to_list()
    names = [{"row": number + 1, "text": text} for number, text in zip(numbers, texts, strict=True)]
    unread = [cells.ragged.get(place, "" if text else EMPTY_TEXT) for place, text in enumerate(texts)]
    return NewTexts(texts, names, unread, messages=[f"{path.name}: {cells.how}; texts in column {column!r}"])


def _read(path: Path, options: TableOptions, *, is_new: bool = False) -> "Cells":
    from firstlight.data.tables.file import read_table  # polars takes a tenth of a second to import

    gigabytes = options.max_gigabytes
    read = partial(read_table, path, delimiter=options.delimiter, max_gigabytes=gigabytes, is_new=is_new)
    known = {name for name in (options.text, options.label) if name is not None}
    cells = read(header=options.header, known=known)
    if options.header is None and not cells.has_header and not known <= set(cells.frame.columns):
        return read()  # a name that is misspelt does not say that the first line names no columns
    return cells


def _is_first_row_data(cells: "Cells", labels: str, options: TableOptions) -> bool:
    """Return whether the first row, which was read as names of columns, is a text with its label."""
    return options.header is None and cells.has_header and labels in cells.frame[labels]


def _has_one_column(path: Path, most: int) -> bool:
    """Return whether no character in the first line of a text file separates columns."""
    if path.suffix.lower() in TYPED or path.stat().st_size > most:  # `read_table` refuses larger files
        return False
    first = read_text(path, at_most=most).lstrip().partition("\n")[0]
    return not any(mark in first for mark in DELIMITERS.values() if mark != " ")


def _text_column(cells: "Cells", options: TableOptions) -> str:
    """Return the name of the column of texts in a table that needs no labels.

    Raises:
        ValueError: there is none.
    """
    frame, name = cells.frame, options.text
    if name is not None and name not in frame.columns:
        why = f"column {name!r}, from which the run read its texts, is missing{suggestion(name, frame.columns)}"
        raise cannot_read(cells.origin, why.rstrip("."), "name the column as in training.")
    others = [other for other in frame.columns if other != options.label]
    if name := name or _named(others, _TEXTS):
        return name
    if not (rest := [other for other in others if frame[other].str.contains(r"\p{L}").any()]):
        why = f"it has no column of texts, but {', '.join(frame.columns[:5])}"
        raise cannot_read(cells.origin, why, "add a column named text.")
    return _longest_texts(frame, rest)


def _columns(path: Path, frame: "pl.DataFrame", text: str | None, label: str | None) -> tuple[str, str]:
    """Return the names of the columns of texts and of labels."""
    for key, name in (("text", text), ("label", label)):
        if name is not None and name not in frame.columns:
            raise unknown(f"data.{key}", name, frame.columns, f"column of {path}")
    others = [name for name in frame.columns if frame[name].count()]
    if len(others) < 2:
        why = f"it has {len(others)} column{'' if len(others) == 1 else 's'}, not two: the texts and their labels"
        raise cannot_read(path, why, "add a column of labels.")
    text = text or _longest_texts(frame, [name for name in others if name != label])
    return text, _label_column(frame, label, [name for name in others if name != text])


def _longest_texts(frame: "pl.DataFrame", names: Sequence[str]) -> str:
    """Return the name of the column with a usual name, or with the longest texts."""
    return _named(names, _TEXTS) or max(names, key=lambda name: frame[name].str.len_chars().mean() or 0)


def _label_column(frame: "pl.DataFrame", label: str | None, names: Sequence[str]) -> str:
    """Return the name of the column that was named, has a usual name, or has the fewest different cells."""
    if label is not None and label in frame.columns:
        return label
    several = [name for name in names if frame[name].n_unique() > 1] or names
    return _named(names, _LABELS) or min(several, key=lambda name: frame[name].n_unique())


def _named(columns: Sequence[str], usual: Sequence[str]) -> str | None:
    return next((name for word in usual for name in columns if name.lower() == word), None)
