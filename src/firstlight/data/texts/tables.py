"""Tables of texts and labels: which column holds the texts, and which their labels."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from firstlight.checks import unknown
from firstlight.data.texts.found import LabelledTexts
from firstlight.files import cannot_read

if TYPE_CHECKING:
    import polars as pl

_TEXTS = ("text", "texts", "sentence", "message", "mail", "email", "body", "content", "review", "document", "tweet")
_LABELS = ("label", "labels", "class", "category", "target", "sentiment", "topic")


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
    from firstlight.data.tables.file import read_table  # polars takes a tenth of a second to import

    read = partial(read_table, path, delimiter=delimiter, max_gigabytes=max_gigabytes)
    cells = read(header=header, known=[name for name in (text, label) if name is not None])
    texts, labels = _columns(path, cells.frame, text, label)
    if header is None and cells.has_header and labels in cells.frame[labels]:  # the first row is a text with its label
        cells = read(header=False)
        texts, labels = _columns(path, cells.frame, text, label)
    empty = cells.frame[labels].is_null()
    if empty.any():
        raise cells.error(empty.arg_max() or 0, f"no label in column {labels!r}", "add one, or delete the row.")
    remark = f"{path.name}: {cells.how}; texts in column {texts!r}, labels in column {labels!r}"
    return LabelledTexts(cells.frame[texts].fill_null("").to_list(), cells.frame[labels].to_list(), [remark])


def _columns(path: Path, frame: "pl.DataFrame", text: str | None, label: str | None) -> tuple[str, str]:
    """Return the names of the columns of texts and of labels."""
    for key, name in (("text", text), ("label", label)):
        if name is not None and name not in frame.columns:
            raise unknown(f"data.{key}", name, frame.columns, f"column of {path}")
    others = [name for name in frame.columns if frame[name].count()]
    if len(others) < 2:
        why = f"it has {len(others)} column{'' if len(others) == 1 else 's'}, not two: the texts and their labels"
        raise cannot_read(path, why, "add a column of labels.")
    if text is None:
        rest = [name for name in others if name != label]
        text = _named(rest, _TEXTS) or max(rest, key=lambda name: frame[name].str.len_chars().mean() or 0)
    if label is None:
        rest = [name for name in others if name != text]
        several = [name for name in rest if frame[name].n_unique() > 1] or rest
        label = _named(rest, _LABELS) or min(several, key=lambda name: frame[name].n_unique())
    return text, label


def _named(columns: Sequence[str], usual: Sequence[str]) -> str | None:
    return next((name for word in usual for name in columns if name.lower() == word), None)
