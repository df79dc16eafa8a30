"""MNIST, from the official IDX files."""

from pathlib import Path
from typing import ClassVar

import numpy as np

from firstlight.data.download import download
from firstlight.data.idx import read_idx
from firstlight.data.source import Source
from firstlight.data.store import Arrays


class MNIST(Source):
    """70,000 digits of 28x28 pixels (LeCun, Cortes & Burges 1998), 10,000 of them for testing.

    The files, gzip or not, lie in `dir`/MNIST/raw, where torchvision puts them too, or in `dir` itself.
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
        """Images and labels to train on, then images and labels to test on."""
        found = [self._find(name) for name in self.hashes]
        if any(path is None for path in found):
            raw = self.dir / "MNIST" / "raw"
            hint = (
                f"Without a network: put the four files {', '.join(self.hashes)} (or unpacked, without .gz) into {raw},"
                " or say where they are with data.dir="
            )
            download(self.hashes, self.url, raw, hint)
            found = [self._find(name) for name in self.hashes]
        return [path for path in found if path is not None]

    def _find(self, name: str) -> Path | None:
        folders = (self.dir / "MNIST" / "raw", self.dir)
        paths = [folder / file for folder in folders for file in (name.removesuffix(".gz"), name)]
        return next((path for path in paths if path.is_file()), None)

    def read(self) -> tuple[tuple[str, ...], dict[str, Arrays]]:
        """60,000 digits to train on and 10,000 to test on."""
        train_images, train_labels, test_images, test_labels = self.files()
        splits = {"train": _split(train_images, train_labels), "test": _split(test_images, test_labels)}
        sizes = [arrays.inputs.shape[2:] for arrays in splits.values()]
        if sizes[0] != sizes[1]:
            raise ValueError(f"{train_images} and {test_images}: images of {sizes[0]} and of {sizes[1]} pixels.")
        return tuple(str(digit) for digit in range(10)), splits


def _split(images_path: Path, labels_path: Path) -> Arrays:
    images, labels = read_idx(images_path), read_idx(labels_path)
    if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels):
        raise ValueError(
            f"{images_path} and {labels_path}: {images.shape} and {labels.shape} are no images with their labels."
        )
    if not len(labels):
        raise ValueError(f"{images_path}: there is no image in it.")
    if labels.max() > 9:
        raise ValueError(
            f"{labels_path}: sample {labels.argmax()} has the label {labels.max()}; digits go from 0 to 9."
        )
    return Arrays(images[:, None], labels.astype(np.int64))
