"""Texts with their labels, and where they are found: in tables, or in folders of files for each class."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from firstlight.data.files.layout import label
from firstlight.data.files.litter import is_litter
from firstlight.data.files.split_names import split_names
from firstlight.files import cannot_read

ARRANGE = (
    "name a table with data.file=, or arrange the texts as train.csv and test.csv, as train/CLASS/text.txt and"
    " test/CLASS/text.txt, or as CLASS/text.txt."
)
TYPED = (".parquet", ".pq", ".xlsx", ".xls", ".xlsm", ".xlsb", ".ods")  # tables that are no text files
TABLES = (".csv", ".tsv", *TYPED)
_COMPRESSED = (".gz", ".bz2", ".xz", ".zip")


@dataclass
class LabelledTexts:
    """The texts of a split, and the label of each.

    Attributes:
        texts: the texts.
        labels: names of their classes.
        remarks: lines for the user that say how they were read.
    """

    texts: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def find_splits(folder: Path) -> dict[str, Path]:
    """Return the place of each split in a folder: a table, or a folder that holds a folder of texts for each class.

    Tables and folders of splits may have any usual names, see `split_names`. Without them, the folder itself holds the
    classes, all for `train`.

    Raises:
        ValueError: the folder does not exist, or holds neither.
    """
    if not folder.is_dir():
        raise cannot_read(folder, "this folder does not exist", f"{ARRANGE} Name the folder with data.dir=")
    entries = [path for path in sorted(folder.iterdir()) if not is_litter(path.name)]
    folders = [path for path in entries if path.is_dir()]
    tables = [path for path in entries if path.is_file() and is_table(path)]
    for found, name_of in ((tables, _stem), (folders, lambda path: path.name)):
        named = _of_splits(folder, found, name_of)
        if "train" in named:
            return named
    if not folders:
        raise cannot_read(folder, "it contains neither a table train.csv nor folders of texts", ARRANGE)
    return {"train": folder}


def class_files(folder: Path) -> list[tuple[Path, str]]:
    """Return the files in the folders of classes, sorted, each with its class: the name of its folder.

    Files in subfolders of a class belong to it. What other programs leave there is left out.
    """
    found = ((path, path.relative_to(folder).parts) for path in text_files(folder))
    return [(path, label(parts[0])) for path, parts in found if len(parts) > 1]


def text_files(folder: Path) -> list[Path]:
    """Return the files in and below a folder, sorted. What other programs leave there is left out."""
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(is_litter(name) for name in path.relative_to(folder).parts)
    ]


def is_table(path: Path) -> bool:
    """Return whether a file is a table, by its suffix."""
    return _suffix(path) in TABLES


def _suffix(path: Path) -> str:
    """Return the suffix of a file in small letters, without that of a compression."""
    return Path(path.stem if path.suffix.lower() in _COMPRESSED else path.name).suffix.lower()


def _stem(path: Path) -> str:
    """Return the name of a file without its suffixes."""
    return path.name.split(".")[0]


def _of_splits(folder: Path, paths: Sequence[Path], name_of: Callable[[Path], str]) -> dict[str, Path]:
    names: Mapping[str, Path] = {name_of(path): path for path in paths}
    found = split_names(names)
    if "test" not in found and "eval" in found:
        found["test"] = found["eval"]
    for split in ("train", "val", "test"):
        if len(same := found.get(split, [])) > 1:
            first, second = sorted(same)[:2]
            raise cannot_read(folder, f"{first} and {second} are both for {split}", "remove or rename one of them.")
    return {split: names[found[split][0]] for split in ("train", "val", "test") if split in found}
