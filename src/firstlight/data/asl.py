"""The American Sign Language alphabet, from the CSV files of Sign Language MNIST."""

import zipfile
from pathlib import Path
from typing import ClassVar

import numpy as np

from firstlight.data.source import Source
from firstlight.data.store import Arrays

_SIDE = 28
_TESTS = ("sign_mnist_test.csv", "sign_mnist_valid.csv")
_HEADER = ["label", *(f"pixel{number}" for number in range(1, _SIDE * _SIDE + 1))]


class ASL(Source):
    """Grey pictures of 28x28 pixels of hands that sign 24 letters (Kaggle, "Sign Language MNIST"); J and Z need motion.

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
        zips = sorted(folder.glob("*.zip"))
        return [path for path in zips if zipfile.is_zipfile(path) and _in_zip(path)][:1]

    def read(self) -> tuple[tuple[str, ...], dict[str, Arrays]]:
        """27,455 pictures to train on and 7,172 to test on, where the files are Kaggle's."""
        files = self.files()
        if len(files) == 1:
            with zipfile.ZipFile(files[0]) as archive:
                tables = [_parse(archive.read(name), f"{files[0]}: {name}") for name in _in_zip(files[0])]
        else:
            tables = [_parse(path.read_bytes(), str(path)) for path in files]
        has_gap = not any((codes == 9).any() for codes, _ in tables)  # 9 would be J
        splits = {}
        for split, (codes, pixels), origin in zip(
            ("train", "test"), tables, [str(files[0]), str(files[-1])], strict=True
        ):
            last = 24 if has_gap else 23
            if not 0 <= codes.min() <= codes.max() <= last:
                row = int(((codes < 0) | (codes > last)).argmax())
                raise ValueError(f"{origin}, line {row + 2}: label {codes[row]}; there are 0 to {last}.")
            targets = codes - (codes > 9) if has_gap else codes
            splits[split] = Arrays(pixels.reshape(-1, 1, _SIDE, _SIDE), targets.astype(np.int64))
        return self.labels, splits


def _in_zip(path: Path) -> list[str]:
    """The members of a zip that are the two files, or nothing."""
    with zipfile.ZipFile(path) as archive:
        members = {Path(name).name: name for name in archive.namelist()}
    train, test = "sign_mnist_train.csv", next((n for n in members if n in _TESTS), "")
    return [members[train], members[test]] if train in members and test else []


def _parse(content: bytes, origin: str) -> tuple[np.ndarray, np.ndarray]:
    """Labels (rows,) and pixels (rows, 784), uint8, of one CSV file."""
    header, _, body = content.partition(b"\n")
    columns = header.decode("utf-8-sig", errors="replace").strip().replace('"', "").split(",")
    if columns != _HEADER:
        missing = [name for name in _HEADER if name not in columns]
        what = f"there is no column {missing[0]}" if missing else "the columns are in another order, or too many"
        raise ValueError(f"{origin}, line 1: {what}; it has to be label,pixel1,...,pixel{_SIDE * _SIDE}.")
    lines = [line for line in body.splitlines() if line.strip()]
    if not lines:
        raise ValueError(f"{origin}: there is no picture in it.")
    try:
        table = np.loadtxt(lines, delimiter=",", dtype=np.int64, ndmin=2, comments=None)
        if table.shape[1] != len(_HEADER) or table[:, 1:].min() < 0 or table[:, 1:].max() > 255:
            raise ValueError
    except (ValueError, OverflowError):
        raise ValueError(f"{origin}, {_first_mistake(lines)}") from None
    return table[:, 0], table[:, 1:].astype(np.uint8)


def _first_mistake(lines: list[bytes]) -> str:
    """Which line cannot be read, and why."""
    for number, line in enumerate(lines, start=2):
        cells = line.decode(errors="replace").split(",")
        if len(cells) != len(_HEADER):
            return f"line {number}: {len(cells)} values; there have to be {len(_HEADER)}."
        for name, cell in zip(_HEADER, cells, strict=True):
            if not (cell.isascii() and cell.isdecimal() and len(cell) < 9):
                return f"line {number}: {name} is '{cell}', not a whole number."
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
