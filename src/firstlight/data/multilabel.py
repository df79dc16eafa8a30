"""Images to which several labels fit at once."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from firstlight.checks import check_range
from firstlight.data.almost import alike, almost
from firstlight.data.files.layout import find_layout
from firstlight.data.files.litter import is_litter
from firstlight.data.files.split_names import split_names
from firstlight.data.image_files import ImageFiles
from firstlight.data.images.reading import images_in
from firstlight.data.label_sets.folders import all_paths, without_copies
from firstlight.data.label_sets.tables import LabelSets, read_label_sets
from firstlight.data.store import Arrays
from firstlight.files import cannot_read

ARRANGE = "name a table with data.file=, or arrange the images as CLASS/image.jpg, with a copy for each of its labels."
_TABLES = (".csv", ".tsv", ".parquet", ".pq", ".xlsx", ".xls")

Labelled = dict[Path, set[str]]  # the labels of each image


class MultiLabel(ImageFiles):
    """Images with any number of labels each, from a table or from folders.

    A table has a column of files, which are searched for in `dir` and its subfolders, with or without their suffix. The
    labels are in one column, with a separator between them, or there is a column of 0 and 1 for each label. Without
    `file`, `dir` holds train.csv and, if they are official, val.csv and test.csv, or one table.

    Without a table, `dir` has a folder for each label, see `Folder`. An image whose copies lie in several folders has
    several labels.

    Args:
        dir: folder of the images, and of `file` if that is not in the working directory.
        file: path of a table; None for what lies in `dir`.
        image: name of the column of files; None to find it.
        label: name of the column of separated labels; None to find it, or a column for each label.
        separator: what stands between labels; None for the first of | ; , and space that occurs.
        max_gigabytes: size of the largest table.
        test_fraction: fraction of the images for testing, if there is no test split.
        split_seed: seed that selects these images.
        kwargs: see `ImageFiles` and `Source`.

    Raises:
        ValueError: an argument is out of its range.
    """

    name = "multilabel"

    def __init__(
        self,
        dir: str,
        *,
        file: str | None = None,
        image: str | None = None,
        label: str | None = None,
        separator: str | None = None,
        max_gigabytes: float = 1.0,
        test_fraction: float = 0.2,
        split_seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(dir, **kwargs)
        check_range("data.max_gigabytes", max_gigabytes, above=0)
        if separator == "":
            raise ValueError("data.separator=: must be a character or null.")
        self.file = file
        self.columns = image, label, separator
        self.max_gigabytes = max_gigabytes
        self.test_fraction = test_fraction
        self.split_seed = split_seed
        self.options |= {"file": file, "columns": self.columns}

    def files(self) -> list[Path]:
        """Return the tables and the images."""
        if tables := self._tables():
            return [*tables.values(), *images_in(self.dir)]
        return all_paths(find_layout(self.dir).splits)

    def read(self) -> tuple[tuple[str, ...], dict[str, Arrays]]:
        """Read the images of each split: which labels fit, (images, labels), uint8.

        Raises:
            ValueError: a table or the folder is not understood, or an image is missing.
        """
        tables = self._tables()
        labels, splits = self._of_tables(tables) if tables else self._of_folders()
        self.remarks += alike(labels)
        several = [len(found) for images in splits.values() for found in images.values()]
        self.remarks.append(f"an image has {np.mean(several):.2g} of {len(labels)} labels on average")
        return labels, self._decode(
            {split: [(path, _row(labels, found)) for path, found in images.items()] for split, images in splits.items()}
        )

    def _tables(self) -> dict[str, Path]:
        """Return the table of each split; empty if there are folders instead."""
        if self.file is not None:
            return {"train": self._locate(self.file)}
        if not self.dir.is_dir():
            raise cannot_read(self.dir, "this folder does not exist", f"{ARRANGE} Name the folder with data.dir=")
        paths = [path for path in sorted(self.dir.iterdir()) if path.suffix.lower() in _TABLES and path.is_file()]
        tables = {path.stem: path for path in paths if not is_litter(path.name)}
        names = split_names(tables)
        if "train" in names:
            return {split: tables[names[split][0]] for split in ("train", "val", "test") if split in names}
        if len(tables) > 1:
            listed = ", ".join(path.name for path in tables.values())
            raise cannot_read(self.dir, f"it has the tables {listed}", "name one of them with data.file=")
        return dict(zip(["train"], tables.values(), strict=False))

    def _of_tables(self, tables: Mapping[str, Path]) -> tuple[tuple[str, ...], dict[str, Labelled]]:
        found = {split: read_label_sets(path, *self.columns, self.max_gigabytes) for split, path in tables.items()}
        self.remarks += found["train"].remarks
        labels = found["train"].labels
        places = _Places(self.dir)
        splits: dict[str, Labelled] = {}
        seen: dict[Path, str] = {}
        for split, table in found.items():
            if new := [label for label in table.labels if label not in labels]:
                why = f"its label '{new[0]}' is missing in {tables['train'].name}{almost(new[0], labels)}"
                raise cannot_read(tables[split], why, "correct the label, or add images of it to train.")
            splits[split] = _located(places, table, tables[split])
            for path in splits[split]:
                if seen.setdefault(path, split) != split:
                    raise cannot_read(tables[split], f"{path.name} is also in {seen[path]}", "delete one of them.")
        return labels, splits

    def _of_folders(self) -> tuple[tuple[str, ...], dict[str, Labelled]]:
        layout = find_layout(self.dir)
        labels = tuple(layout.splits["train"])
        self.remarks += [layout.description(self.dir), *layout.remarks]
        for split, classes in layout.splits.items():
            if new := [name for name in classes if name not in labels]:
                why = f"the class '{new[0]}' is in {split}, but not in train{almost(new[0], labels)}"
                raise cannot_read(self.dir, why, "add or remove the class.")
        if len(labels) < 2:
            raise cannot_read(self.dir, "it has no folders of classes and no table", ARRANGE)
        return labels, {split: without_copies(classes) for split, classes in layout.splits.items()}


class _Places:
    """The images in a folder, by what a table may call them: their path, their name, or their name without suffix."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.found: dict[str, list[Path]] = {}
        for path in images_in(root):
            names = {path.relative_to(root).as_posix(), path.name, path.stem}
            for name in names:
                self.found.setdefault(name, []).append(path)

    def path_of(self, name: str, table: Path) -> Path:
        paths = self.found.get(name.replace("\\", "/").removeprefix("./"), [])
        if not paths:
            raise cannot_read(table, f"its image {name} is missing in {self.root}", "add it, or name its folder.")
        exact = [path for path in paths if path == self.root / name] or paths
        if len(exact) > 1:
            raise cannot_read(table, f"{name} may be {exact[0]} or {exact[1]}", "write the path in the table.")
        return exact[0]


def _located(places: _Places, table: LabelSets, origin: Path) -> Labelled:
    """Return the labels of each path; two names of one file are a mistake."""
    found: Labelled = {}
    for name, labels in table.of.items():
        path = places.path_of(name, origin)
        if path in found:
            raise cannot_read(origin, f"{path} has two names in it, and {name} is one of them", "use one name.")
        found[path] = labels
    return found


def _row(labels: tuple[str, ...], found: set[str]) -> np.ndarray:
    return np.array([label in found for label in labels], np.uint8)
