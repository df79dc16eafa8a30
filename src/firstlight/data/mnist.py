"""MNIST, from the official IDX files."""

from pathlib import Path
from typing import ClassVar

import numpy as np

from firstlight.data.files.download import download
from firstlight.data.files.idx import read_idx
from firstlight.data.files.near_miss import refuse_near_misses
from firstlight.data.source import Source
from firstlight.data.store import Arrays
from firstlight.files import cannot_read


class MNIST(Source):
    """70,000 digits of 28x28 pixels (LeCun, Cortes & Burges 1998), 10,000 of them for testing.

    The files, compressed by gzip or not, are in `dir`/MNIST/raw, as torchvision stores them, or in `dir`. Kaggle's
    names of the files, such as `train-images.idx3-ubyte`, are read too, and so are folders named like the files.
    """

    name = "mnist"
    url: ClassVar[str] = "https://ossci-datasets.s3.amazonaws.com/mnist/"
    hashes: ClassVar[dict[str, str]] = {
        "train-images-idx3-ubyte.gz": "md5:f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "train-labels-idx1-ubyte.gz": "md5:d53e105ee54ea40749a09fcbcd1e9432",
        "t10k-images-idx3-ubyte.gz": "md5:9fb629c4189551a2d022fa330f9573f3",
        "t10k-labels-idx1-ubyte.gz": "md5:ec29112dd5afa0611ce80d1b7f02629c",
    }

    def files(self) -> list[Path]:
        """Return the files of images and labels for training, then those for testing."""
        found = [self._find(name) for name in self.hashes]
        if any(path is None for path in found):
            raw = self.dir / "MNIST" / "raw"
            refuse_near_misses((raw, self.dir), self.hashes)
            hint = (
                f"To fix: put the four files {', '.join(self.hashes)}, unpacked or not, into {raw},"
                f" or name their folder with data.dir={self._csv_hint()}"
            )
            download(self.hashes, self.url, raw, hint)
            found = [self._find(name) for name in self.hashes]
        return [path for path in found if path is not None]

    def _find(self, name: str) -> Path | None:
        plain = name.removesuffix(".gz")
        spellings = (plain, plain.replace("-idx", ".idx"))
        for folder in (self.dir / "MNIST" / "raw", self.dir):
            for place in (folder, *(folder / spelling for spelling in spellings)):
                paths = [place / f"{spelling}{suffix}" for suffix in ("", ".gz") for spelling in spellings]
                found = next((path for path in paths if path.is_file()), None)
                if found:
                    return found
        return None

    def _csv_hint(self) -> str:
        """Return how to read MNIST as a table, if the user has it as one."""
        found = next(self.dir.glob("mnist_*.csv"), None)
        return f"\n{found.name} is a table: read it with data=table data.file={found.name}" if found else ""

    def read(self) -> tuple[tuple[str, ...], dict[str, Arrays]]:
        """Read 60,000 digits for training and 10,000 for testing.

        Raises:
            ValueError: a file is damaged, or the files do not belong together.
        """
        train_images, train_labels, test_images, test_labels = self.files()
        splits = {"train": _split(train_images, train_labels), "test": _split(test_images, test_labels)}
        sizes = [arrays.inputs.shape[2:] for arrays in splits.values()]
        if sizes[0] != sizes[1]:
            raise _file_error(test_images, f"its images have {sizes[1]} pixels, those of {train_images} {sizes[0]}")
        return tuple(str(digit) for digit in range(10)), splits


def _split(images_path: Path, labels_path: Path) -> Arrays:
    images, labels = read_idx(images_path), read_idx(labels_path)
    if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels):
        raise _file_error(labels_path, f"labels {labels.shape} do not match the images {images.shape}")
    if not len(labels):
        raise _file_error(images_path, "it contains no image")
    if labels.max() > 9:
        raise _file_error(labels_path, f"sample {labels.argmax()} has the label {labels.max()}, not 0 to 9")
    return Arrays(images[:, None], labels.astype(np.int64))


def _file_error(path: Path, why: str) -> ValueError:
    return cannot_read(path, why, "delete this file and get it again.")
