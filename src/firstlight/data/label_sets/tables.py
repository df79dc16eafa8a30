"""Tables of image files and their labels: one column of separated labels, or a column of 0 and 1 for each label."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from firstlight.checks import unknown
from firstlight.data.files.formats import is_image_name
from firstlight.files import cannot_read

if TYPE_CHECKING:
    from firstlight.data.tables.cells import Cells

_IMAGES = ("image", "file", "filename", "file_name", "image_name", "path", "image_path", "img", "image_id", "id")
_SEPARATORS = ("|", ";", ",", " ")
_FLAGS = {"1": 1, "1.0": 1, "true": 1, "yes": 1, "0": 0, "0.0": 0, "false": 0, "no": 0, "-1": -1, "-1.0": -1}


@dataclass
class LabelSets:
    """The labels of files.

    Attributes:
        labels: all labels: sorted, or in the order of their columns.
        of: the labels of each file, by its name in the table.
        remarks: lines for the user that say how the table was understood.
    """

    labels: tuple[str, ...]
    of: dict[str, set[str]]
    remarks: list[str] = field(default_factory=list)


def read_label_sets(
    path: Path, image: str | None, label: str | None, separator: str | None, max_gigabytes: float
) -> LabelSets:
    """Return the labels of each file in a table, see `read_table`.

    Args:
        path: the table.
        image: name of the column of files; None for the one with a usual name, or with names of image files.
        label: name of the column of separated labels; None for the only other column, or a column for each label.
        separator: what stands between the labels of a cell; None for the first of | ; , and space that occurs.
        max_gigabytes: see `read_table`.

    Raises:
        ValueError: the table cannot be read or understood.
    """
    from firstlight.data.tables.file import read_table  # polars takes a tenth of a second to import

    cells = read_table(path, header=True, max_gigabytes=max_gigabytes)
    if any(is_image_name(name) for name in cells.frame.columns):  # the first row is an image with its labels
        cells = read_table(path, header=False, max_gigabytes=max_gigabytes)
    columns = cells.frame.columns
    for key, name in (("image", image), ("label", label)):
        if name is not None and name not in columns:
            raise unknown(f"data.{key}", name, columns, f"column of {path}")
    image = image or _image_column(path, cells)
    empty = cells.frame[image].is_null()
    if empty.any():
        raise cells.error(empty.arg_max() or 0, f"no file in column {image!r}", "add its name, or delete the row.")
    others = [name for name in columns if name != image]
    if label is None and len(others) == 1 and not _is_flags(cells, others[0]):
        label = others[0]
    if label is not None:
        return _separated(path, cells, image, label, separator)
    return _flagged(path, cells, image, others)


def _image_column(path: Path, cells: "Cells") -> str:
    columns = cells.frame.columns
    named = next((name for usual in _IMAGES for name in columns if name.lower() == usual), None)
    found = named or next((name for name in columns if is_image_name(cells.frame[name][0] or "")), None)
    if found is None:
        why = f"none of its columns ({', '.join(columns[:6])}) holds names of images"
        raise cannot_read(path, why, "name the column with data.image=")
    return found


def _is_flags(cells: "Cells", column: str) -> bool:
    return all((cell or "0").lower() in _FLAGS for cell in cells.frame[column].unique())


def _separated(path: Path, cells: "Cells", image: str, label: str, separator: str | None) -> LabelSets:
    """Read a column of separated labels; the rows of a file add to each other."""
    texts = [text or "" for text in cells.frame[label]]
    if separator is None:
        separator = next((sign for sign in _SEPARATORS if any(sign in text for text in texts)), _SEPARATORS[0])
    of: dict[str, set[str]] = {}
    for name, text in zip(cells.frame[image], texts, strict=True):
        of.setdefault(name, set()).update(part.strip() for part in text.split(separator) if part.strip())
    labels = tuple(sorted(set().union(*of.values())))
    if not labels:
        raise cannot_read(path, f"column {label!r} has no label", "name another column with data.label=")
    how = f"{path.name}: {cells.how}; files in column {image!r}, labels in column {label!r}, separated by {separator!r}"
    return LabelSets(labels, of, [how])


def _flagged(path: Path, cells: "Cells", image: str, columns: Collection[str]) -> LabelSets:
    """Read a column for each label; -1 stands for 0 if the table has no 0."""
    values = {name: [(cell or "0").lower() for cell in cells.frame[name]] for name in columns}
    for name, texts in values.items():
        row = next((row for row, text in enumerate(texts) if text not in _FLAGS), None)
        if row is not None:
            why = f"column {name!r} has {texts[row]!r}, which is not 0 or 1"
            raise cells.error(row, why, "correct it, or name the column of separated labels with data.label=")
    if not columns:
        raise cannot_read(path, "it has one column, and must have files and labels", "add a column of labels.")
    _check_signs(path, values)
    of: dict[str, set[str]] = {}
    for row, name in enumerate(cells.frame[image]):
        if name in of:
            raise cells.error(row, f"{name} is in a row before", "delete one of the rows.")
        of[name] = {label for label, texts in values.items() if _FLAGS[texts[row]] > 0}
    how = f"{path.name}: {cells.how}; files in column {image!r}, a column of 0 and 1 for each of {len(columns)} labels"
    return LabelSets(tuple(columns), of, [how])


def _check_signs(path: Path, values: Mapping[str, list[str]]) -> None:
    found = {_FLAGS[text] for texts in values.values() for text in texts}
    if {-1, 0} <= found:
        raise cannot_read(path, "its labels are -1, 0 and 1, so -1 is not clear", "write 0 or 1 for each label.")
