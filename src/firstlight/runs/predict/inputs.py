"""What the kinds of inputs have in common: they are read in batches, and each has a name and warnings."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from torch import Tensor

from firstlight.data.images.reading import SUFFIXES as IMAGES

COMPRESSED = (".gz", ".bz2", ".xz", ".zip")
_TABLES = (".csv", ".tsv", ".parquet", ".xls", ".xlsx")
_TEXTS = (".txt", ".md", ".rst", ".json", ".yaml", ".html", ".pdf")
# Kind of the data -> description, and suffixes of files that are surely of another kind.
_KINDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "images": ("an image, or a folder of images", (*_TABLES, *_TEXTS)),
    "numbers": ("a table, such as a CSV file", IMAGES),
    "tokens": ("a text, or a file of lines", (*IMAGES, ".parquet", ".xls", ".xlsx", ".pdf")),
}


class InputBatch(NamedTuple):
    """Inputs that pass through the network together.

    Attributes:
        names: the columns by which the user recognizes each input, such as `path`.
        raw: raw samples, as `Task.predict_rows` takes them.
        warnings: why each input may be predicted wrongly: texts such as "inverted: light ground".
        unread: why each input cannot be read, and empty texts for the others; its raw sample has no meaning, and its
            row no prediction. Empty if all inputs can be read.
        texts: the whole texts, for samples of tokens; empty for others.
        sizes: width and height of each image as it is shown, in which boxes are placed; empty for other tasks.
    """

    names: list[dict[str, Any]]
    raw: Tensor
    warnings: list[list[str]]
    unread: list[str] = []  # noqa: RUF012 (a NamedTuple's default, which is not changed)
    sizes: list[tuple[int, int]] = []  # noqa: RUF012
    texts: list[str] = []  # noqa: RUF012


class Inputs(Protocol):
    """The inputs of a prediction.

    Attributes:
        unit: noun for an input.
        sheet_path: path of the contact sheet; None for inputs without one.
        problems: messages about inputs that cannot be read, which `batches` appends to.
    """

    unit: str
    sheet_path: Path | None
    problems: list[str]

    def __len__(self) -> int:
        """Return the number of inputs, with those that cannot be read."""

    def batches(self, batch_size: int) -> Iterator[InputBatch]:
        """Read the inputs, at most `batch_size` at a time."""


def wrong_kind(source: str | Path, kind: str) -> ValueError:
    """Return the error for an input that does not fit the data of the run."""
    return ValueError(f"input={source}: must be {_KINDS[kind][0]}, because the network was trained on {kind}.")


def check_kind(source: Path, kind: str) -> None:
    """Check that a path can hold inputs of a kind, by its suffix.

    Args:
        source: the path.
        kind: the kind of the data, see `DataSpec.kind`.

    Raises:
        ValueError: the path does not exist, or is a file of another kind, or a folder of anything but images.
    """
    if not source.exists():
        raise ValueError(f"input={source}: must be an existing file{' or folder' if kind == 'images' else ''}.")
    suffix = Path(source.stem if source.suffix.lower() in COMPRESSED else source.name).suffix.lower()
    if (source.is_dir() and kind != "images") or suffix in _KINDS[kind][1]:
        raise wrong_kind(source, kind)
