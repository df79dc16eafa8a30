"""The American Sign Language alphabet, from the CSV files of Sign Language MNIST."""

from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np

from firstlight.data.archive import zip_files, zip_names
from firstlight.data.source import Source
from firstlight.data.store import Arrays

_SIDE = 28
_TESTS = ("sign_mnist_test.csv", "sign_mnist_valid.csv")
_HEADER = ["label", *(f"pixel{number}" for number in range(1, _SIDE * _SIDE + 1))]


class _Images(NamedTuple):
    codes: np.ndarray  # (rows,)
    pixels: np.ndarray  # (rows, 784), uint8
    lines: list[int]  # where in the file each row is


class ASL(Source):
    """Grey images of 28x28 pixels of hands that sign 24 letters (Kaggle, "Sign Language MNIST"); J and Z need motion.

    `sign_mnist_train.csv` and `sign_mnist_test.csv` (or `_valid.csv`) lie in `dir`, in a folder `sign-language-mnist`
    there, or in a zip in `dir`, as Kaggle serves it. Labels are Kaggle's codes 0 to 24, which leave out 9 for J, or
    0 to 23 without a gap.
    """

    name = "asl"
    stratified = True
    labels = tuple("ABCDEFGHIKLMNOPQRSTUVWXY")
    kaggle: ClassVar[str] = "datamunge/sign-language-mnist"

    def files(self) -> list[Path]:
        """The CSV files to train on and to test on, or one zip that holds them."""
        found = self._find(self.dir) or self._find(_fetch(self.kaggle, self.dir))
        if not found:
            raise ValueError(f"{self.kaggle} of Kaggle does not hold sign_mnist_train.csv and sign_mnist_test.csv.")
        return found

    def _find(self, folder: Path) -> list[Path]:
        for place in (folder, folder / "sign-language-mnist"):
            train = place / "sign_mnist_train.csv"
            test = next((place / name for name in _TESTS if (place / name).is_file()), None)
            if train.is_file() and test:
                return [train, test]
        unreadable = None
        for path in sorted(folder.glob("*.zip")):
            try:
                if _in_zip(path):
                    return [path]
            except ValueError as error:
                unreadable = unreadable or error
        if unreadable:  # it may be the one
            raise unreadable
        return []

    def read(self) -> tuple[tuple[str, ...], dict[str, Arrays]]:
        """27,455 images to train on and 7,172 to test on, where the files are Kaggle's."""
        files = self.files()
        if len(files) == 1:
            names = _in_zip(files[0])
            contents = zip_files(files[0], names)
            origins = [f"{files[0]}: {name}" for name in names]
        else:
            contents = [path.read_bytes() for path in files]
            origins = [str(path) for path in files]
        tables = [_parse(content, origin) for content, origin in zip(contents, origins, strict=True)]
        found = {code for table in tables for code in table.codes.tolist()}
        has_gap = 24 in found or 9 not in found
        allowed = "0 to 24 without 9, which would be J" if has_gap else "0 to 23"
        codes = [code for code in range(25) if code != 9] if has_gap else list(range(24))
        splits = {}
        for split, table, origin in zip(("train", "test"), tables, origins, strict=True):
            wrong = ~np.isin(table.codes, codes)
            if wrong.any():
                row = int(wrong.argmax())
                raise ValueError(f"{origin}, line {table.lines[row]}: label {table.codes[row]}; there are {allowed}.")
            targets = np.searchsorted(codes, table.codes)
            splits[split] = Arrays(table.pixels.reshape(-1, 1, _SIDE, _SIDE), targets.astype(np.int64))
        return self.labels, splits


def _in_zip(path: Path) -> list[str]:
    """The members of a zip that are the two files, or nothing."""
    members = {Path(name).name: name for name in zip_names(path)}
    train, test = "sign_mnist_train.csv", next((n for n in members if n in _TESTS), "")
    return [members[train], members[test]] if train in members and test else []


def _parse(content: bytes, origin: str) -> _Images:
    """What one CSV file holds."""
    header, *body = content.splitlines() or [b""]
    columns = header.decode("utf-8-sig", errors="replace").strip().replace('"', "").split(",")
    if columns != _HEADER:
        missing = [name for name in _HEADER if name not in columns]
        what = f"there is no column {missing[0]}" if missing else "the columns are in another order, or too many"
        raise ValueError(f"{origin}, line 1: {what}; it has to be label,pixel1,...,pixel{_SIDE * _SIDE}.")
    lines = {number: line for number, line in enumerate(body, start=2) if line.strip()}
    if not lines:
        raise ValueError(f"{origin}: there is no image in it.")
    try:
        table = np.loadtxt(list(lines.values()), delimiter=",", dtype=np.int64, ndmin=2, comments=None)
        if table.shape[1] != len(_HEADER) or table[:, 1:].min() < 0 or table[:, 1:].max() > 255:
            raise ValueError
    except (ValueError, OverflowError):
        raise ValueError(f"{origin}, {_first_mistake(lines)}") from None
    return _Images(table[:, 0], table[:, 1:].astype(np.uint8), list(lines))


def _first_mistake(lines: dict[int, bytes]) -> str:
    """Which line cannot be read, and why."""
    for number, line in lines.items():
        cells = line.decode(errors="replace").split(",")
        if len(cells) != len(_HEADER):
            return f"line {number}: {len(cells)} values; there have to be {len(_HEADER)}."
        for name, cell in zip(_HEADER, cells, strict=True):
            if not (cell.isascii() and cell.isdecimal() and len(cell) < 9):
                return f"line {number}: {name} is '{cell[:40]}', not a whole number."
            if name != "label" and int(cell) > 255:
                return f"line {number}: {name} is {cell}; a pixel is 0 to 255."
    raise AssertionError("a table with a mistake has a line with it")


def _fetch(handle: str, folder: Path) -> Path:
    """The folder into which kagglehub puts a data set.

    Raises:
        ValueError: kagglehub is not installed, or has no connection or no right.
    """
    hint = (
        f"Put sign_mnist_train.csv and sign_mnist_test.csv, or the zip of Kaggle's {handle}, into {folder},"
        " or say where they are with data.dir="
    )
    try:
        import kagglehub
    except ImportError:
        raise ValueError(f"{hint}\nWith the extra `kaggle` (uv sync --extra kaggle) they are fetched.") from None
    try:
        return Path(kagglehub.dataset_download(handle))
    except Exception as error:  # kagglehub raises what its HTTP client does, and its own
        raise ValueError(f"kagglehub cannot fetch {handle} ({type(error).__name__}).\n{hint}") from error
