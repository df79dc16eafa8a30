"""The American Sign Language alphabet, from the CSV files of Sign Language MNIST."""

from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np

from firstlight.data.files.archive import zip_files, zip_names
from firstlight.data.files.litter import is_litter
from firstlight.data.files.near_miss import refuse_near_misses
from firstlight.data.source import Source
from firstlight.data.store import Arrays
from firstlight.files import cannot_read, read_bounded

_SIDE = 28
_TRAIN = "sign_mnist_train.csv"
_TESTS = ("sign_mnist_test.csv", "sign_mnist_valid.csv")
_MAX_FILE = 2**27  # bytes; the official file for training has 83 MB
_MAX_LINES = 2**19  # the official file has 27,456
_MAX_LINE = 2**15  # bytes; a line of 785 numbers has at most 3,140, and the header 6,900
_HEADER = ["label", *(f"pixel{number}" for number in range(1, _SIDE * _SIDE + 1))]


class _Images(NamedTuple):
    codes: np.ndarray  # (rows,)
    pixels: np.ndarray  # (rows, 784), uint8
    lines: list[int]  # line number of each row in the file


class ASL(Source):
    """24 letters of the American Sign Language as grey images of 28x28 pixels (Kaggle, "Sign Language MNIST").

    J and Z are missing because they need motion. The files `sign_mnist_train.csv` and `sign_mnist_test.csv` (or
    `sign_mnist_valid.csv`) are in `dir`, in `dir`/sign-language-mnist, or in the zip from Kaggle in `dir`. Labels in
    the files are either Kaggle's codes, 0 to 24 without 9 (J), or 0 to 23.
    """

    name = "asl"
    stratified = True
    labels = tuple("ABCDEFGHIKLMNOPQRSTUVWXY")
    kaggle: ClassVar[str] = "datamunge/sign-language-mnist"

    def files(self) -> list[Path]:
        """Return the CSV files for training and for testing, or the zip that contains them.

        Raises:
            ValueError: the files are missing and cannot be downloaded.
        """
        found = self._find(self.dir)
        if not found:
            refuse_near_misses((self.dir, self.dir / "sign-language-mnist"), (_TRAIN, *_TESTS))
            found = self._find(_fetch(self.kaggle, self.dir))
        if not found:
            raise ValueError(
                f"{self.dir}: cannot read (the download of Kaggle's {self.kaggle} does not contain the CSV files)."
                " To fix: put sign_mnist_train.csv and sign_mnist_test.csv there."
            )
        return found

    def _find(self, folder: Path) -> list[Path]:
        for place in (folder, folder / "sign-language-mnist"):
            train, test = _csv_file(place, (_TRAIN,)), _csv_file(place, _TESTS)
            if train and test:
                return [train, test]
        unreadable = None
        for path in sorted(folder.glob("*.zip")):
            try:
                if _in_zip(path):
                    return [path]
            except ValueError as error:
                unreadable = unreadable or error
        if unreadable:  # this zip may contain the files
            raise unreadable
        return []

    def read(self) -> tuple[tuple[str, ...], dict[str, Arrays]]:
        """Read the images; Kaggle's files have 27,455 for training and 7,172 for testing.

        Raises:
            ValueError: a file is damaged, or holds unknown labels.
        """
        files = self.files()
        if len(files) == 1:
            names = _in_zip(files[0])
            contents = zip_files(files[0], names)
            origins = [f"{files[0]}: {name}" for name in names]
        else:
            contents = [read_bounded(path, _MAX_FILE, "get this file again.") for path in files]
            origins = [str(path) for path in files]
        tables = [_parse(content, origin) for content, origin in zip(contents, origins, strict=True)]
        found = {code for table in tables for code in table.codes.tolist()}
        has_gap = 24 in found or 9 not in found
        allowed = "0 to 24 without 9 (J)" if has_gap else "0 to 23"
        codes = [code for code in range(25) if code != 9] if has_gap else list(range(24))
        splits = {}
        for split, table, origin in zip(("train", "test"), tables, origins, strict=True):
            wrong = ~np.isin(table.codes, codes)
            if wrong.any():
                row = int(wrong.argmax())
                why = f"label is {table.codes[row]}"
                raise cannot_read(origin, why, f"use the labels {allowed}.", table.lines[row])
            targets = np.searchsorted(codes, table.codes)
            splits[split] = Arrays(table.pixels.reshape(-1, 1, _SIDE, _SIDE), targets.astype(np.int64))
        return self.labels, splits


def _csv_file(folder: Path, names: tuple[str, ...]) -> Path | None:
    """Return the first of these files in a folder, or in a folder named like the file, as Kaggle's zip unpacks it."""
    paths = [place for name in names for place in (folder / name, folder / Path(name).stem / name)]
    return next((path for path in paths if path.is_file()), None)


def _in_zip(path: Path) -> list[str]:
    """Return the names of the two CSV files in a zip, or an empty list."""
    members = {Path(name).name: name for name in zip_names(path) if not any(map(is_litter, Path(name).parts))}
    test = next((name for name in members if name in _TESTS), "")
    return [members[_TRAIN], members[test]] if _TRAIN in members and test else []


def _parse(content: bytes, origin: str) -> _Images:
    if content.count(b"\n") + content.count(b"\r") > 2 * _MAX_LINES:
        raise cannot_read(origin, f"it has more than {_MAX_LINES:,} lines", "get this file again.")
    header, *body = content.splitlines() or [b""]
    for number, line in enumerate((header, *body), start=1):
        if len(line) > _MAX_LINE:
            raise cannot_read(origin, f"it has {len(line):,} bytes", f"write {len(_HEADER)} values.", number)
    columns = header.decode("utf-8-sig", errors="replace").strip().replace('"', "").split(",")
    if columns != _HEADER:
        missing = [name for name in _HEADER if name not in columns]
        why = f"the column {missing[0]} is missing" if missing else "the columns are in a wrong order or too many"
        raise cannot_read(origin, why, f"name the columns label,pixel1,...,pixel{_SIDE * _SIDE}.", line=1)
    lines = {number: line for number, line in enumerate(body, start=2) if line.strip()}
    if not lines:
        raise cannot_read(origin, "it contains no image", "get the file again.")
    try:
        table = np.loadtxt(list(lines.values()), delimiter=",", dtype=np.int64, ndmin=2, comments=None)
        if table.shape[1] != len(_HEADER) or table[:, 1:].min() < 0 or table[:, 1:].max() > 255:
            raise ValueError
    except (ValueError, OverflowError):
        raise _find_mistake(lines, origin) from None
    return _Images(table[:, 0], table[:, 1:].astype(np.uint8), list(lines))


def _find_mistake(lines: dict[int, bytes], origin: str) -> ValueError:
    """Return the error for the first line that cannot be read."""
    for number, line in lines.items():
        cells = line.decode(errors="replace").split(",")
        if len(cells) != len(_HEADER):
            return cannot_read(origin, f"it has {len(cells)} values", f"write {len(_HEADER)} values.", number)
        for name, cell in zip(_HEADER, cells, strict=True):
            is_integer = cell.isascii() and cell.isdecimal() and len(cell) < 9
            if not is_integer or (name != "label" and int(cell) > 255):
                fix = "write an integer." if name == "label" else "write an integer from 0 to 255."
                return cannot_read(origin, f"{name} is '{cell[:40]}'", fix, number)
    raise AssertionError("np.loadtxt fails only if a line has a mistake")


def _fetch(handle: str, folder: Path) -> Path:
    """Download a data set with kagglehub, and return its folder.

    Raises:
        ValueError: kagglehub is not installed, cannot reach Kaggle, or may not read the data set.
    """
    hint = (
        f"To fix: put sign_mnist_train.csv and sign_mnist_test.csv, or the zip of Kaggle's {handle}, into {folder},"
        " or name their folder with data.dir="
    )
    try:
        import kagglehub
    except ImportError:
        raise ValueError(
            f"{folder}: cannot read (the files of Sign Language MNIST are missing). {hint}\n"
            "The extra `kaggle` (uv sync --extra kaggle) downloads them."
        ) from None
    try:
        return Path(kagglehub.dataset_download(handle))
    except Exception as error:  # kagglehub raises errors of its own and of its HTTP client
        raise ValueError(
            f"{folder}: cannot read (kagglehub failed to download {handle}: {type(error).__name__}). {hint}"
        ) from error
