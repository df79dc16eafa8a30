"""Base class of data sets: finds the official files, builds the store, and splits it."""

import hashlib
import inspect
import math
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch

from firstlight.checks import check_range
from firstlight.data.contract import checked
from firstlight.data.folds import Fold
from firstlight.data.hold_out import hold_out
from firstlight.data.relabel import relabelled
from firstlight.data.statistics import describe
from firstlight.data.store import Arrays, Split, Store, cached_spec, content_key, open_store
from firstlight.data.training_parts import classes_of, fraction_of, is_validation
from firstlight.files import user_path
from firstlight.spec import DataSpec

# Increase this number when the content of stores changes, so that existing stores are built again.
_FORMAT = 7
_MAX_REMARKS = 9


class Source(ABC):
    """A data set that is read from its original files, once, into a store: a folder of arrays that training reads.

    A subclass must define `read`, which returns arrays. It may define:

    - `files`: the original files. Without them, the store is built again only when the options, `fingerprint` or the
      code of the class change.
    - `__init__` for options of its own. It passes the remaining arguments to `super().__init__`, and sets `options` to
      those that change the content of the store.
    - `fingerprint`, for data that lies in no files.
    - `describe` and `summary`, for another spec and another line on the screen.
    - `read_all`, `first_rows` and `original_texts`, which `evaluate.py input=` and `preview.py` ask for.
    - the attributes below.

    It is given the arguments below from the config, and an empty list `remarks`. What `read` returns is checked, so a
    wrong shape, type or class is named before anything is trained.

    Args:
        dir: folder of the original files. Stores are kept in its subfolder `.firstlight`, or in the user's cache
            directory if that is not writable.
        batch_size: samples of one batch, summed over all devices; "all" for those of the whole split. With gradient
            accumulation, an optimizer step uses several batches.
        val_fraction: fraction of the training split that is held out for validation; at least one sample.
        train_fraction: fraction of the other samples that are trained on, of each class; for learning curves. Above 1,
            the number of samples of each class. Larger fractions contain the samples of smaller ones.

    Attributes:
        name: name of the data set; the names of its stores begin with it. The name of the class in small letters, if
            the class sets none.
        consecutive: whether each sample continues the one before it, so that batches must keep their order.
        remarks: lines for the user that say how the files were understood; `read` appends to them, and the store keeps
            them.
        vocabulary: the tokens by number, for texts that are classified; `read` sets it. Shorter texts end in -1.
        stratified: whether validation gets the same fraction of each class; for data sets with small classes.
        test_fraction: fraction of each class that is held out for testing, if `read` returns no `test`.
        split_seed: seed that selects these samples.
        fold: the part of the training split that validates, in cross-validation; None for `val_fraction`.

    Raises:
        ValueError: an argument is out of its range.
    """

    fold: Fold | None = None
    name: str
    consecutive: bool = False
    vocabulary: tuple[str, ...] = ()
    stratified: bool = False
    test_fraction: float = 0.2
    split_seed: int = 0

    def __init__(
        self,
        dir: str,
        *,
        batch_size: int | Literal["all"] = 128,
        val_fraction: float = 0.1,
        train_fraction: float = 1.0,
    ) -> None:
        if batch_size != "all":
            check_range("data.batch_size", batch_size, at_least=1)
        check_range("data.val_fraction", val_fraction, above=0, below=1)
        check_range("data.train_fraction", train_fraction, above=0, below=math.inf)
        if train_fraction > 1 and train_fraction != int(train_fraction):
            raise ValueError(
                f"data.train_fraction={train_fraction}: must be at most 1, or a whole number of samples of each class."
            )
        self.dir = _folder("data.dir", dir)
        self.batch_size = batch_size
        self.val_fraction = val_fraction
        self.train_fraction = train_fraction
        self.options: dict[str, Any] = {}
        self.remarks: list[str] = []

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.name = cls.__dict__.get("name", cls.__name__.lower())

    @classmethod
    def of(cls, found: Any) -> Self:
        """Return what the `_target_` of a config has built, if it is a data set.

        Raises:
            ValueError: it is not. The message says how other data sets come in.
        """
        if isinstance(found, cls):
            return found
        name = type(found).__name__
        how = f"data=dataset data.train={{_target_: {type(found).__module__}.{name}, ...}}"
        raise ValueError(f"data: must be a subclass of firstlight.data.Source, and {name} is not. To fix: {how}")

    @abstractmethod
    def read(self) -> tuple[tuple[str, ...], dict[str, Arrays]]:
        """Read the files.

        Returns:
            The labels (names of the classes, tokens or targets), and the inputs and targets of `train` and, if they
            are official, of `val` and `test`, with the shapes and types of `Split`. Without an official `test`, `train`
            has all samples, and a part of its rows is for testing, see `test_fraction`.

        Raises:
            ValueError: a file is damaged; the message names the file.
        """

    def files(self) -> list[Path]:
        """Return the original files; missing files are downloaded. A changed file makes a new store.

        Raises:
            ValueError: the files are missing and cannot be downloaded.
        """
        return []

    def fingerprint(self) -> Any:
        """Return what identifies data that lies in no files, as JSON can represent it; None if the files are enough."""
        return None

    def describe(self, labels: tuple[str, ...], train: Arrays) -> DataSpec:
        """Compute the metadata of the data set from its training split."""
        return describe(labels, train, vocabulary=self.vocabulary)

    def summary(self, spec: DataSpec, splits: Mapping[str, Split]) -> list[str]:
        """Return a line for the user with the sizes of the splits, and what a sample is; it follows the remarks."""
        sizes = ", ".join(f"{name} {len(splits[name]):,}" for name in ("train", "val", "test"))
        if spec.targets == "classes":
            what = f" texts of at most {spec.input_shape[0]:,} tokens" if spec.kind == "tokens" else ""
            known = f"; {len(spec.vocabulary):,} tokens are known" if spec.kind == "tokens" else ""
            return [f"{sizes}{what}, in {spec.num_outputs:,} classes: {_first(spec.labels)}{known}"]
        if spec.targets == "tokens":
            return [f"{sizes} windows of {spec.input_shape[0]:,} tokens; {spec.num_outputs:,} tokens are known"]
        samples = "images" if spec.kind == "images" else f"rows of {spec.input_shape[0]:,} numbers"
        predicted = {"masks": "the class of each pixel: ", "boxes": "boxes around objects: ", "labels": "which fit of "}
        return [f"{sizes} {samples}, to predict {predicted.get(spec.targets, '')}{_first(spec.labels)}"]

    def read_all(self, spec: DataSpec) -> Split:
        """Read the samples of all splits for a run on other data, which knows the labels of `spec` alone.

        Raises:
            ValueError: the inputs or the labels do not fit to the spec.
        """
        labels, splits = self._read()
        whole = Arrays(*(np.concatenate(parts) for parts in zip(*splits.values(), strict=True)))
        split = Split(torch.from_numpy(whole.inputs), torch.from_numpy(whole.targets), consecutive=self.consecutive)
        return relabelled(split, self.describe(labels, whole), spec)

    def first_rows(self, number: int) -> list[list[str]] | None:
        """Return the names of the columns and the first rows as they stand in the files; None if there are no rows."""
        return None

    def original_texts(self, windows: torch.Tensor) -> list[str] | None:
        """Return the training windows with these numbers (windows,) as they stand in the file; None without a text."""
        return None

    def store(self) -> Store:
        """Open the store of the data set; build it if it does not exist."""
        path = self._store_path()
        found = open_store(path, self._read_and_describe, self.remarks)
        return found if "test" in found.splits else self._with_test(found, path)

    def _read_and_describe(self) -> tuple[DataSpec, dict[str, Arrays]]:
        self.remarks.clear()
        labels, splits = self._read()
        if "test" not in splits:
            self._is_test(labels, splits["train"].targets)  # a wrong fraction is reported before the store is written
        spec = self.describe(labels, splits["train"])
        if spec.stored_shape != (shape := splits["train"].inputs.shape[1:]):
            name = type(self).__name__
            raise ValueError(f"data: {name}.describe must return the shape {shape}, and returns {spec.stored_shape}.")
        return spec, splits

    def _read(self) -> tuple[tuple[str, ...], dict[str, Arrays]]:
        return checked(type(self).__name__, *self.read(), self.vocabulary)

    def _is_test(self, labels: tuple[str, ...], targets: np.ndarray) -> np.ndarray:
        if targets.dtype != np.int64:  # all other targets form one class
            targets, labels = np.zeros(len(targets)), labels[:1]
        return hold_out(targets, labels, self.test_fraction, self.split_seed)

    def _with_test(self, store: Store, path: Path) -> Store:
        """Return the store with the part of `train` that is for testing as `test`. The arrays stay as they are."""
        whole = store.splits["train"]
        self.vocabulary = store.spec.vocabulary  # the store may be one of an earlier process
        is_test = self._is_test(store.spec.labels, whole.targets.numpy())
        train, test = np.flatnonzero(~is_test), np.flatnonzero(is_test)
        arrays = Arrays(whole.inputs.numpy(), whole.targets.numpy())
        key = content_key(self.test_fraction, self.split_seed)
        spec = cached_spec(path / f"spec-{key}.json", lambda: self.describe(store.spec.labels, arrays.part(train)))
        parts = {"train": whole.part(torch.from_numpy(train)), "test": whole.part(torch.from_numpy(test))}
        return replace(store, spec=spec, splits={**store.splits, **parts})

    def splits(self, seed: int) -> tuple[Store, dict[str, Split]]:
        """Return the store and its splits `train`, `val` and `test`.

        If there is no official `val`, the seed selects a part of the training split for it.

        Raises:
            ValueError: the training split has too few samples.
        """
        store = self.store()
        splits = {name: replace(split, consecutive=self.consecutive) for name, split in store.splits.items()}
        if self.fold is not None:
            self._check_folds(splits)
        if "val" not in splits:
            is_val = self._is_val(splits["train"], store.spec.targets == "classes", seed)
            # In the order of the file, which is the fastest order to read it.
            splits["val"] = splits["train"].part(is_val.nonzero()[:, 0])
            splits["train"] = splits["train"].part((~is_val).nonzero()[:, 0])
        if self.train_fraction != 1:
            splits["train"] = fraction_of(splits["train"], self.train_fraction, seed)
        remarks = [*store.remarks[:_MAX_REMARKS], *self.summary(store.spec, splits)]
        return replace(store, remarks=tuple(remarks)), splits

    def _is_val(self, train: Split, has_classes: bool, seed: int) -> torch.Tensor:
        if self.fold is not None:
            return self.fold.is_held_out(classes_of(train), seed)
        return is_validation(train, self.val_fraction, self.stratified and has_classes, seed)

    def _check_folds(self, splits: Mapping[str, Split]) -> None:
        assert self.fold is not None
        problem = "continue one another" if self.consecutive else "have an official split val"
        if self.consecutive or "val" in splits:
            raise ValueError(f"kfold={self.fold.of}: must be null with data={self.name}, whose samples {problem}.")

    def _store_path(self) -> Path:
        """Return the path of the store, which changes with every file and option, and with the code of own classes."""
        files: list[Any] = [(self._relative_name(path), *_size_and_times(path)) for path in self.files()]
        others = [found for found in (self.fingerprint(), _own_code(type(self))) if found]
        return self.cache_dir / f"{self.name}-{content_key(_FORMAT, self.options, files, *others)}"

    def _relative_name(self, path: Path) -> str:
        return path.relative_to(self.dir).as_posix() if path.is_relative_to(self.dir) else path.name

    def _locate(self, file: str) -> Path:
        """Return the path of a file, relative to the working directory or to `dir`.

        Raises:
            ValueError: the file does not exist.
        """
        places = (user_path(file, "data.file"), self.dir / file)
        for path in places:
            if path.is_file():
                return path
        if folder := next((path for path in places if path.is_dir()), None):
            raise ValueError(f"data.file={file}: must be an existing file, and {folder} is a folder.")
        raise ValueError(
            f"data.file={file}: must be an existing file. Searched in the working directory and in {self.dir}."
        )

    @property
    def cache_dir(self) -> Path:
        """Folder of the stores."""
        return cache_beside(self.dir)


def cache_beside(folder: Path) -> Path:
    """Return the folder of the stores of data in a folder: inside of it, or the user's cache if it is read-only."""
    inside = folder / ".firstlight"
    nearest = next(parent for parent in (inside, *inside.parents) if parent.exists())
    if os.access(nearest, os.W_OK):
        return inside
    import pooch  # takes a tenth of a second to import

    return Path(pooch.os_cache("firstlight"))


def _first(labels: tuple[str, ...], number: int = 10) -> str:
    return ", ".join(labels[:number]) + (", …" if len(labels) > number else "")


def _folder(key: str, text: str) -> Path:
    path = user_path(text, key)
    if path.exists() and not path.is_dir():
        raise ValueError(f"{key}={text}: must be a folder, not a file.")
    return path


def _own_code(cls: type) -> list[str]:
    """Return the checksums of the modules of a class and its base classes outside of this package.

    A class whose module has no file, as in a notebook, has none.
    """
    found = []
    for base in cls.__mro__[: cls.__mro__.index(Source)]:
        try:
            path = Path(inspect.getfile(base))
            if not path.is_relative_to(Path(__file__).parent):
                found.append(hashlib.sha256(path.read_bytes()).hexdigest())
        except (TypeError, OSError):
            continue
    return found


def _size_and_times(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except FileNotFoundError:
        found = path.lstat()  # a broken link; reading it raises an error
    # ctime too, because programs can reset mtime but not ctime.
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns
