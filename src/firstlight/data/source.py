"""Base class of data sets: finds the official files, builds the store, and splits it."""

import os
from abc import ABC, abstractmethod
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import torch

from firstlight.checks import check_range
from firstlight.data.statistics import describe
from firstlight.data.store import Arrays, Split, Store, content_key, open_store
from firstlight.files import user_path
from firstlight.randomness import generator
from firstlight.spec import DataSpec

# Increase this number when the content of stores changes, so that existing stores are built again.
_FORMAT = 4


class Source(ABC):
    """A data set that is read from its original files, once, into a store: a folder of arrays that training reads.

    A subclass sets `name` and implements `files` and `read`. Its own options are arguments of its `__init__`, which
    passes the remaining arguments to `super().__init__` and sets `options`: the options that change the content of
    the store.

    Args:
        dir: folder of the original files. Stores are kept in its subfolder `.firstlight`, or in the user's cache
            directory if that is not writable.
        batch_size: samples of one batch, summed over all devices. With gradient accumulation, an optimizer step uses
            several batches.
        val_fraction: fraction of the training split that is held out for validation; at least one sample.

    Attributes:
        name: name of the data set; the names of its stores begin with it.
        consecutive: whether each sample continues the one before it, so that batches must keep their order.
        remarks: lines for the user that say how the files were understood; `read` appends to them, and the store keeps
            them.
        stratified: whether validation gets the same fraction of each class; for data sets with small classes.

    Raises:
        ValueError: an argument is out of its range.
    """

    name: ClassVar[str]
    consecutive: ClassVar[bool] = False
    stratified: bool = False

    def __init__(self, dir: str, *, batch_size: int = 128, val_fraction: float = 0.1) -> None:
        check_range("data.batch_size", batch_size, at_least=1)
        check_range("data.val_fraction", val_fraction, above=0, below=1)
        self.dir = user_path(dir)
        self.batch_size = batch_size
        self.val_fraction = val_fraction
        self.options: dict[str, Any] = {}
        self.remarks: list[str] = []

    @abstractmethod
    def files(self) -> list[Path]:
        """Return the original files; missing files are downloaded.

        Raises:
            ValueError: the files are missing and cannot be downloaded.
        """

    @abstractmethod
    def read(self) -> tuple[tuple[str, ...], dict[str, Arrays]]:
        """Read the files.

        Returns:
            The labels, and the arrays of `train`, `test` and, if it is official, `val`.

        Raises:
            ValueError: a file is damaged; the message names the file.
        """

    def describe(self, labels: tuple[str, ...], train: Arrays) -> DataSpec:
        """Compute the metadata of the data set from its training split."""
        return describe(labels, train)

    def store(self) -> Store:
        """Open the store of the data set; build it if it does not exist."""
        return open_store(self.cache_dir / f"{self.name}-{self._key()}", self._read_and_describe, self.remarks)

    def _read_and_describe(self) -> tuple[DataSpec, dict[str, Arrays]]:
        self.remarks.clear()
        labels, splits = self.read()
        return self.describe(labels, splits["train"]), splits

    def splits(self, seed: int) -> tuple[Store, dict[str, Split]]:
        """Return the store and its splits `train`, `val` and `test`.

        If there is no official `val`, the seed selects a part of the training split for it.

        Raises:
            ValueError: the training split has too few samples.
        """
        store = self.store()
        splits = {name: replace(split, consecutive=self.consecutive) for name, split in store.splits.items()}
        if "val" not in splits:
            num_samples = len(splits["train"])
            num_val = max(1, round(num_samples * self.val_fraction))
            if num_val >= num_samples:
                raise ValueError(
                    f"data.val_fraction={self.val_fraction}: must leave samples for training;"
                    f" the training split has {num_samples}."
                )
            order = torch.randperm(num_samples, generator=generator(seed, "val"))
            held_out = order[:num_val]
            if self.stratified and store.spec.targets == "classes":
                by_class = order[splits["train"].targets[order].sort(stable=True).indices]
                held_out = by_class[((torch.arange(num_val) + 0.5) * num_samples / num_val).long()]
            is_val = torch.zeros(num_samples, dtype=torch.bool)
            is_val[held_out] = True
            # In the order of the file, which is the fastest order to read it.
            splits["val"] = splits["train"].part(is_val.nonzero()[:, 0])
            splits["train"] = splits["train"].part((~is_val).nonzero()[:, 0])
        return store, splits

    def _key(self) -> str:
        """Return a key that changes with every file and option of the store."""
        files = [(self._relative_name(path), *_size_and_times(path)) for path in self.files()]
        return content_key(_FORMAT, self.options, files)

    def _relative_name(self, path: Path) -> str:
        return path.relative_to(self.dir).as_posix() if path.is_relative_to(self.dir) else path.name

    def _locate(self, file: str) -> Path:
        """Return the path of a file, relative to the working directory or to `dir`.

        Raises:
            ValueError: the file does not exist.
        """
        for path in (user_path(file), self.dir / file):
            if path.is_file():
                return path
        raise ValueError(
            f"data.file={file}: must be an existing file. Searched in the working directory and in {self.dir}."
        )

    @property
    def cache_dir(self) -> Path:
        """Folder of the stores."""
        beside = self.dir / ".firstlight"
        nearest = next(parent for parent in (beside, *beside.parents) if parent.exists())
        if os.access(nearest, os.W_OK):
            return beside
        import pooch  # takes a tenth of a second to import

        return Path(pooch.os_cache("firstlight"))


def _size_and_times(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except FileNotFoundError:
        found = path.lstat()  # a broken link; reading it raises an error
    # ctime too, because programs can reset mtime but not ctime.
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns
