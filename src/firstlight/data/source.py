"""What every data set has in common: where its files lie, how it becomes a store, how it is split and batched."""

import os
from abc import ABC, abstractmethod
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pooch
import torch

from firstlight.data.statistics import describe
from firstlight.data.store import Arrays, Split, Store, content_key, open_store
from firstlight.files import user_path
from firstlight.randomness import generator
from firstlight.spec import DataSpec

# Raised when stores are written in another way: older ones are then built anew.
_FORMAT = 2


class Source(ABC):
    """A data set in its official files.

    A subclass names itself, finds its files and reads them; options of its own are arguments of its `__init__`,
    which passes the others on, and are kept in `options`. `consecutive` says that each sample goes on where the one
    before it ended, so that a recurrent network is handed them in their order. `stratified` says that classes are
    small, so that each is to give the same share to validation.

    Args:
        dir: folder of the official files; stores are kept in `.firstlight` there, or in the user's cache
            directory where that cannot be written.
        batch_size: samples per optimizer step and accumulated batch, over all devices.
        val_fraction: share of the training split that is held out for validation; one sample at least.

    Raises:
        ValueError: an argument is out of its range.
    """

    name: ClassVar[str]
    consecutive: ClassVar[bool] = False
    stratified: bool = False

    def __init__(self, dir: str, *, batch_size: int = 128, val_fraction: float = 0.1) -> None:
        if batch_size < 1:
            raise ValueError(f"data.batch_size={batch_size}: a batch has one sample or more.")
        if not 0 < val_fraction < 1:
            raise ValueError(f"data.val_fraction={val_fraction}: a share between 0 and 1.")
        self.dir = user_path(dir)
        self.batch_size = batch_size
        self.val_fraction = val_fraction
        self.options: dict[str, Any] = {}

    @abstractmethod
    def files(self) -> list[Path]:
        """The official files, downloaded where they are missing.

        Raises:
            ValueError: they cannot be had; says what to do without a network.
        """

    @abstractmethod
    def read(self) -> tuple[tuple[str, ...], dict[str, Arrays]]:
        """Class names, and the arrays of `train` and `test`, and of `val` where that is official, from the files.

        Raises:
            ValueError: a file is not what it should be; names the file.
        """

    def describe(self, labels: tuple[str, ...], train: Arrays) -> DataSpec:
        """The facts of the data set; to be overridden where the training split does not tell them."""
        return describe(labels, train)

    def store(self) -> Store:
        """The data set as arrays, built where it is not yet."""
        return open_store(self.cache_dir / f"{self.name}-{self._key()}", self._read_and_describe)

    def _read_and_describe(self) -> tuple[DataSpec, dict[str, Arrays]]:
        labels, splits = self.read()
        return self.describe(labels, splits["train"]), splits

    def splits(self, seed: int) -> tuple[Store, dict[str, Split]]:
        """The store, and its `train`, `val` and `test`; `val` is a part of the training split that follows from
        `seed`.

        Raises:
            ValueError: too few samples to hold some out.
        """
        store = self.store()
        splits = {name: replace(split, consecutive=self.consecutive) for name, split in store.splits.items()}
        if "val" not in splits:
            num_samples = len(splits["train"])
            num_val = max(1, round(num_samples * self.val_fraction))
            if num_val >= num_samples:
                raise ValueError(
                    f"data.val_fraction={self.val_fraction}: of {num_samples} samples that leaves a split empty."
                )
            order = torch.randperm(num_samples, generator=generator(seed, "val"))
            held_out = order[:num_val]
            if self.stratified:
                by_class = order[splits["train"].targets[order].sort(stable=True).indices]
                held_out = by_class[((torch.arange(num_val) + 0.5) * num_samples / num_val).long()]
            is_val = torch.zeros(num_samples, dtype=torch.bool)
            is_val[held_out] = True
            # In the order of the file: reading it so is kinder to the disk.
            splits["val"] = splits["train"].part(is_val.nonzero()[:, 0])
            splits["train"] = splits["train"].part((~is_val).nonzero()[:, 0])
        return store, splits

    def _key(self) -> str:
        """Names the store by all that it is built from: a changed file or option makes another one."""
        files = [(self._name(path), *_size_and_times(path)) for path in self.files()]
        return content_key(_FORMAT, self.options, files)

    def _name(self, path: Path) -> str:
        return path.relative_to(self.dir).as_posix() if path.is_relative_to(self.dir) else path.name

    def _locate(self, file: str) -> Path:
        """A file that the user names: from where they are, or in `dir`.

        Raises:
            ValueError: it is in neither.
        """
        for path in (user_path(file), self.dir / file):
            if path.is_file():
                return path
        raise ValueError(f"data.file={file}: there is no such file here or in {self.dir}.")

    @property
    def cache_dir(self) -> Path:
        """Where stores are kept."""
        beside = self.dir / ".firstlight"
        nearest = next(parent for parent in (beside, *beside.parents) if parent.exists())
        return beside if os.access(nearest, os.W_OK) else Path(pooch.os_cache("firstlight"))


def _size_and_times(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except FileNotFoundError:
        found = path.lstat()  # a link to nothing: whoever reads it tells
    # The time of the last change of any kind, too: nobody can set it back.
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns
