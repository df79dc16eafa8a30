"""Samples that are already in memory: arrays, tensors, or any `torch.utils.data.Dataset`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import xxhash

from firstlight.data.source import Source
from firstlight.data.store import Arrays

_SPLITS = ("train", "val", "test")
_CHANNELS = (1, 3)


class ArraySource(Source):
    """Arrays that were given to `firstlight.train`. They lie in a store, which their checksum names.

    So the config of the run describes them, and another process reads them as long as the store exists.

    Args:
        dir: see `Source`.
        checksum: the checksum of the arrays, see `keep`.
        test_fraction: fraction of the samples (of each class) for testing, if the arrays have no split for it.
        split_seed: seed that selects the samples for testing.
        kwargs: see `Source`.

    Raises:
        ValueError: an argument is out of its range.
    """

    name = "arrays"
    stratified = True

    def __init__(
        self, dir: str, *, checksum: str, test_fraction: float = 0.2, split_seed: int = 0, **kwargs: Any
    ) -> None:
        super().__init__(dir, **kwargs)
        self.test_fraction = test_fraction
        self.split_seed = split_seed
        self.checksum = checksum
        self.options = {"checksum": checksum}
        self._samples: tuple[tuple[str, ...], dict[str, Arrays]] | None = None

    @classmethod
    def keep(cls, data: Any, dir: str) -> Self:
        """Write samples to a store in the subfolder `.firstlight` of `dir`, if it does not hold them already.

        Args:
            data: see `as_arrays`.
            dir: see `Source`.

        Raises:
            ValueError: see `as_arrays`.
        """
        labels, splits = as_arrays(data)
        source = cls(dir, checksum=_checksum(labels, splits))
        source._samples = labels, splits
        source.store()
        source._samples = None
        return source

    def files(self) -> list[Path]:
        """Return no files: the arrays come from memory."""
        return []

    def read(self) -> tuple[tuple[str, ...], dict[str, Arrays]]:
        """Return the arrays, if this process has them and the store does not exist yet.

        Raises:
            ValueError: they are gone.
        """
        if self._samples is None:
            raise ValueError(
                f"data.checksum={self.checksum}: must be arrays in {self.cache_dir}, and they are not there."
                " To fix: give the same arrays again, as in firstlight.resume(run, data=...)."
            )
        return self._samples


def as_arrays(data: Any) -> tuple[tuple[str, ...], dict[str, Arrays]]:
    """Return the labels and the arrays of each split.

    Args:
        data: inputs and targets, each a NumPy array, a tensor or a list; or a `torch.utils.data.Dataset` of such pairs;
            or a mapping from "train", "val" and "test" to either.

            Inputs are images, uint8 or from 0 to 1: (samples, height, width), (samples, height, width, channels) or
            (samples, channels, height, width) with one or three channels; or a table of numbers (samples, columns).
            Targets are classes, as whole numbers or texts (samples,), or numbers, float (samples,) or (samples,
            targets).

    Raises:
        ValueError: the shapes, types or values are others.
    """
    given = dict(data) if isinstance(data, Mapping) else {"train": data}
    if "train" not in given or not set(given) <= set(_SPLITS):
        raise ValueError(f"data: must have the splits train and, if there are some, val and test, not {list(given)}.")
    pairs = {name: _pair(split) for name, split in given.items()}
    labels, targets = _targets({name: target for name, (_, target) in pairs.items()})
    splits = {name: Arrays(_inputs(inputs), targets[name]) for name, (inputs, _) in pairs.items()}
    if len(shapes := {split.inputs.shape[1:] for split in splits.values()}) > 1:
        raise ValueError(f"data: must have samples of one shape in all splits, not {shapes}.")
    return labels, splits


def _pair(split: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs and targets, both (samples, ...), of a pair or a data set."""
    if isinstance(split, tuple | list) and len(split) == 2:
        inputs, targets = split
    elif hasattr(split, "__getitem__") and hasattr(split, "__len__") and not hasattr(split, "shape"):
        samples = [split[index] for index in range(len(split))]
        if not samples or not all(isinstance(sample, tuple | list) and len(sample) == 2 for sample in samples):
            raise ValueError(
                f"data: must be a data set of pairs of input and target, and {type(split).__name__} is not."
            )
        inputs, targets = ([as_array(part) for part in parts] for parts in zip(*samples, strict=True))
    else:
        raise ValueError(
            f"data: must be the name of a data set, a pair (inputs, targets) or a torch.utils.data.Dataset,"
            f" not {type(split).__name__}."
        )
    found = _stacked(inputs, "inputs"), _stacked(targets, "targets")
    if len(found[0]) != len(found[1]) or not len(found[0]):
        raise ValueError(f"data: must have as many targets as inputs, not {len(found[1]):,} and {len(found[0]):,}.")
    return found


def as_array(value: Any) -> np.ndarray:
    """Return a tensor on any device, an array, an image of Pillow, a list or a number as an array of the same shape."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    return np.asarray(value)


def _stacked(values: Any, what: str) -> np.ndarray:
    try:
        found = np.stack([as_array(value) for value in values]) if isinstance(values, list) else as_array(values)
    except ValueError as error:
        raise ValueError(f"data: must have {what} of one shape ({error}).") from error
    if found.dtype == object and all(isinstance(value, str) for value in found.flat):  # texts of a data frame
        found = found.astype(str)
    if found.ndim == 0 or found.dtype == object:
        raise ValueError(f"data: must have {what} that are an array or a list of arrays of one shape.")
    return found


def _inputs(values: np.ndarray) -> np.ndarray:
    if values.ndim == 2 and values.dtype.kind in "buif":
        return _finite(values, "inputs").astype(np.float32)
    if values.ndim == 3:
        values = values[:, None]
    elif values.ndim == 4 and values.shape[1] not in _CHANNELS and values.shape[3] in _CHANNELS:
        values = values.transpose(0, 3, 1, 2)
    if values.ndim != 4 or values.shape[1] not in _CHANNELS:
        raise ValueError(
            "data: must have images (samples, height, width) or (samples, channels, height, width) with 1 or 3"
            f" channels, or a table of numbers (samples, columns), not an array of shape {values.shape}."
        )
    return as_pixels(values, "data")


def as_pixels(values: np.ndarray, key: str) -> np.ndarray:
    """Return pixels of any shape as uint8. Floats are from 0 to 1, other numbers from 0 to 255, bool is black or white.

    Args:
        values: the pixels.
        key: the beginning of the message.

    Raises:
        ValueError: a pixel is out of range.
    """
    if values.dtype == np.uint8:
        return values
    highest = 1 if values.dtype.kind in "bf" else 255
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
    if values.dtype.kind not in "buif" or not (low >= 0 and high <= highest):
        raise ValueError(
            f"{key}: must have pixels of type uint8, or numbers from 0 to {highest},"
            f" not {values.dtype} from {low:g} to {high:g}."
        )
    return np.rint(values * (255 / highest)).astype(np.uint8)


def _finite(values: np.ndarray, what: str) -> np.ndarray:
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise ValueError(f"data: must have {what} without NaN and Inf.")
    return values


def _targets(given: Mapping[str, np.ndarray]) -> tuple[tuple[str, ...], dict[str, np.ndarray]]:
    """Return the labels and the targets of each split: classes, int64 (samples,), or numbers (samples, targets)."""
    train = given["train"]
    if train.dtype.kind == "f" and train.ndim in (1, 2):
        numbers = {name: _finite(values, "targets").reshape(len(values), -1) for name, values in given.items()}
        columns = numbers["train"].shape[1]
        labels = ("target",) if columns == 1 else tuple(f"target_{number}" for number in range(1, columns + 1))
        return labels, {name: values.astype(np.float32) for name, values in numbers.items()}
    if train.ndim != 1 or train.dtype.kind not in "buiUS":
        raise ValueError(
            "data: must have targets that are classes (samples,) as whole numbers or texts, or numbers of type float,"
            f" not {train.dtype} of shape {train.shape}."
        )
    classes = np.unique(train)
    for name, values in given.items():
        if len(new := np.setdiff1d(values, classes)):
            raise ValueError(f"data: must have the classes of train in {name}, and {new[0]!s} is new.")
    found = {name: np.searchsorted(classes, values).astype(np.int64) for name, values in given.items()}
    return tuple(map(str, classes.tolist())), found


def _checksum(labels: tuple[str, ...], splits: Mapping[str, Arrays]) -> str:
    digest = xxhash.xxh3_128(repr(labels).encode())
    for name in sorted(splits):
        for array in splits[name]:
            digest.update(f"{name} {array.dtype} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
