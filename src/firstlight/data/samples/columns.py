"""The columns of a Hugging Face data set that are inputs and labels, found from its `features` or named."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from firstlight.checks import choose
from firstlight.data.samples.access import Sample

_LABELS = ("label", "labels", "target", "class", "y")
_TEXTS = ("text", "content", "sentence", "document")
_NUMBERS = ("int", "uint", "float", "double", "bool")


@dataclass(frozen=True)
class Columns:
    """Which columns are read.

    Attributes:
        inputs: an image, a text, a vector or several numbers.
        label: the label; None without one.
        is_text: whether the input is a text to continue.
    """

    inputs: tuple[str, ...]
    label: str | None
    is_text: bool


def choose_columns(features: Mapping[str, Any], image: str | None, label: str | None, text: str | None) -> Columns:
    """Choose the columns: an image; else a text; else all columns of numbers. The label is a ClassLabel or so named.

    Args:
        features: the type of each column.
        image: name of the column of images; None to find it.
        label: name of the column of labels; None to find it.
        text: name of the column of texts; None to find it.

    Raises:
        ValueError: a name is unknown, or there is no input.
    """
    for key, name in {"image": image, "label": label, "text": text}.items():
        if name is not None:
            choose(f"data.{key}", name, list(features), "column")
    types = {name: type(feature).__name__ for name, feature in features.items()}
    classes = [name for name, kind in types.items() if kind == "ClassLabel"]
    label = label or next(iter([*classes, *(name for name in _LABELS if name in features)]), None)
    image = image or next((name for name, kind in types.items() if kind == "Image" and text is None), None)
    if image is not None:
        return Columns((image,), label, False)
    texts = [name for name, feature in features.items() if _dtype(feature) in ("string", "large_string")]
    text = text or next((name for name in (*_TEXTS, *texts) if name in texts and name != label), None)
    if text is not None:
        return Columns((text,), None, True)
    numbers = [name for name, feature in features.items() if name != label and _is_number(feature)]
    if not numbers:
        listed = ", ".join(f"{name} ({kind})" for name, kind in types.items())
        raise ValueError(f"data.name: must have a column of images, texts or numbers, and has {listed}.")
    return Columns(tuple(numbers), label, False)


def _dtype(feature: Any) -> str:
    return str(getattr(feature, "dtype", ""))


def _is_number(feature: Any) -> bool:
    """Return whether a column holds numbers or lists of numbers."""
    inner = feature[0] if isinstance(feature, list) else getattr(feature, "feature", feature)
    return type(feature).__name__ != "ClassLabel" and _dtype(inner).startswith(_NUMBERS)


class Rows:
    """The rows of a Hugging Face data set as pairs of an input and a label.

    Args:
        rows: the data set.
        columns: the columns that are read; others are not decoded.
    """

    def __init__(self, rows: Any, columns: Columns) -> None:
        wanted = [*columns.inputs, *([columns.label] if columns.label else [])]
        self.rows = rows.with_format(None).select_columns(wanted)
        self.columns = columns
        self.features = rows.features

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Sample:
        row = self.rows[index]
        inputs = [row[name] for name in self.columns.inputs]
        return Sample(inputs[0] if len(inputs) == 1 else inputs, row.get(self.columns.label))

    def texts(self) -> Sequence[str]:
        """Return the texts of all rows; empty ones are kept, because they separate paragraphs."""
        return [text or "" for text in self.rows[self.columns.inputs[0]]]
