"""A data set on disk as arrays: built once from its official files, mapped into memory on every use."""

import json
import secrets
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from filelock import FileLock
from torch import Tensor

from firstlight.files import write_json
from firstlight.spec import DataSpec


@dataclass(frozen=True)
class Split:
    """The samples of one split: rows of whole arrays.

    Attributes:
        inputs: (rows, channels, height, width), uint8.
        targets: (rows,), int64.
        indices: (samples,), int64: the rows that belong to the split; None where all do.
    """

    inputs: Tensor
    targets: Tensor
    indices: Tensor | None = None

    def __len__(self) -> int:
        return len(self.targets if self.indices is None else self.indices)

    def take(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """Copies of the inputs and targets of the samples with these numbers."""
        rows = samples if self.indices is None else self.indices[samples]
        return self.inputs[rows], self.targets[rows]

    def part(self, samples: Tensor) -> "Split":
        """The split of the samples with these numbers; the arrays are shared."""
        return Split(self.inputs, self.targets, samples if self.indices is None else self.indices[samples])

    def to(self, device: torch.device) -> "Split":
        """A copy on the device, of no more than the rows that belong to the split."""
        inputs, targets = (self.inputs, self.targets) if self.indices is None else self.take(torch.arange(len(self)))
        return Split(inputs.to(device), targets.to(device))


class Arrays(NamedTuple):
    """What a source reads from its official files for one split: `Split` in NumPy."""

    inputs: np.ndarray
    targets: np.ndarray


@dataclass(frozen=True)
class Store:
    """The splits of a data set, memory-mapped, and its facts."""

    spec: DataSpec
    splits: Mapping[str, Split]


def open_store(path: Path, read: Callable[[], tuple[tuple[str, ...], dict[str, Arrays]]]) -> Store:
    """Open the store at `path`; where there is none yet, build it from the labels and splits that `read` returns.

    Of several processes one builds, and the others wait for it. A store is there as a whole or not at all:
    it is built beside `path` and renamed.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(f"{path.name}.lock")):
            if not path.exists():
                _build(path, *read())
    spec = DataSpec.from_dict(json.loads((path / "spec.json").read_text()))
    names = sorted({file.name.split(".")[0] for file in path.glob("*.npy")})
    return Store(
        spec, {name: Split(_map(path / f"{name}.inputs.npy"), _map(path / f"{name}.targets.npy")) for name in names}
    )


def _build(path: Path, labels: tuple[str, ...], splits: dict[str, Arrays]) -> None:
    for leftover in path.parent.glob(f".{path.name}.*"):  # of a process that was killed; the lock is ours
        shutil.rmtree(leftover)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    temporary.mkdir()
    try:
        for name, arrays in splits.items():
            assert arrays.inputs.dtype == np.uint8
            assert arrays.targets.dtype == np.int64
            assert len(arrays.inputs) == len(arrays.targets)
            np.save(temporary / f"{name}.inputs.npy", np.ascontiguousarray(arrays.inputs))
            np.save(temporary / f"{name}.targets.npy", arrays.targets)
        mean, std = channel_statistics(splits["train"].inputs)
        shape = splits["train"].inputs.shape[1:]
        write_json(temporary / "spec.json", DataSpec(shape, len(labels), labels, mean, std).to_dict())
        temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def channel_statistics(images: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel of (samples, channels, height, width) uint8, pixels from 0 to 1.

    Exact: both follow from how often each of the 256 values occurs.
    """
    values = np.arange(256) / 255
    means, stds = [], []
    for channel in range(images.shape[1]):
        counts = np.bincount(images[:, channel].reshape(-1), minlength=256)
        mean = float(counts @ values / counts.sum())
        variance = float(counts @ (values - mean) ** 2 / counts.sum())
        means.append(mean)
        stds.append(max(variance**0.5, 1 / 255))  # a constant channel is not divided by zero
    return tuple(means), tuple(stds)


def _map(path: Path) -> Tensor:
    # "c": pages are shared with all who map the file; a write would stay in this process, and torch asks no more.
    return torch.from_numpy(np.load(path, mmap_mode="c"))
