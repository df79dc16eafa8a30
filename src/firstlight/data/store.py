"""A data set on the disk as arrays: built once from its official files, then memory-mapped."""

import hashlib
import json
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from filelock import FileLock
from torch import Tensor

from firstlight.files import cannot_read, write_json
from firstlight.spec import DataSpec


@dataclass(frozen=True)
class Split:
    """The samples of one split, as rows of arrays.

    Attributes:
        inputs: raw samples: images (rows, channels, height, width), uint8; tokens (rows, sequence_length), int32;
            numbers (rows, columns), float32.
        targets: classes (rows,), int64; next tokens (rows, sequence_length), int32; numbers (rows, targets), float32.
        indices: rows that belong to the split, (samples,), int64; None for all rows.
        consecutive: whether each row continues the row before it, as windows of a text do.
    """

    inputs: Tensor
    targets: Tensor
    indices: Tensor | None = None
    consecutive: bool = False

    def __len__(self) -> int:
        return len(self.targets if self.indices is None else self.indices)

    @property
    def own_targets(self) -> Tensor:
        """Targets of the rows that belong to the split: `targets` with (samples, ...) instead of (rows, ...)."""
        return self.targets if self.indices is None else self.targets[self.indices]

    def take(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """Return copies of the inputs and targets of the samples with these indices."""
        rows = samples if self.indices is None else self.indices[samples]
        # index_select copies complete rows and is ten times as fast as indexing with brackets.
        return self.inputs.index_select(0, rows), self.targets.index_select(0, rows)

    def part(self, samples: Tensor) -> "Split":
        """Return a split of the samples with these indices; it uses the same arrays."""
        return replace(self, indices=samples if self.indices is None else self.indices[samples])

    def to(self, device: torch.device) -> "Split":
        """Return a copy on the device, with only the rows that belong to the split."""
        inputs, targets = (self.inputs, self.targets) if self.indices is None else self.take(torch.arange(len(self)))
        return Split(inputs.to(device), targets.to(device), consecutive=self.consecutive)


class Arrays(NamedTuple):
    """The inputs and targets of a split as NumPy arrays, with the shapes and types of `Split`."""

    inputs: np.ndarray
    targets: np.ndarray


@dataclass(frozen=True)
class Store:
    """The memory-mapped splits of a data set, and its metadata.

    Attributes:
        spec: metadata for networks and tasks.
        splits: the samples of each split.
        remarks: lines for the user that say how the original files were understood.
    """

    spec: DataSpec
    splits: Mapping[str, Split]
    remarks: tuple[str, ...] = ()


def content_key(*parts: object) -> str:
    """Return a key for content that depends on these values alone: 16 hexadecimal digits of their SHA-256.

    Args:
        parts: values that JSON can represent; the order of a dict's keys does not matter.
    """
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def open_store(
    path: Path, read: Callable[[], tuple[DataSpec, dict[str, Arrays]]], remarks: Sequence[str] = ()
) -> Store:
    """Open the store at `path`; if it does not exist, build it from the spec and splits that `read` returns.

    `read` may append to `remarks`, see `Store`.

    If several processes open it, one builds the store and the others wait. The store is built in a temporary folder
    beside `path`, which is then renamed, so that an incomplete store never exists at `path`.

    Raises:
        ValueError: the store is damaged.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path.with_name(f"{path.name}.lock")):
            if not path.exists():
                spec, splits = read()
                _build(path, spec, splits, remarks)
    try:
        return _open(path)
    except (OSError, EOFError, ValueError) as error:
        raise cannot_read(path, str(error), "delete this folder; it is built again.") from error


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Let one process at a time run the block, and delete the lock file afterwards.

    The file is deleted while the lock is held. If a waiting process then gets the lock of the deleted file, FileLock
    notices that and tries again with a new file.
    """
    with FileLock(path):
        try:
            yield
        finally:
            with suppress(OSError):  # Windows does not delete files that are open elsewhere
                path.unlink()


def _open(path: Path) -> Store:
    spec = DataSpec.from_dict(json.loads((path / "spec.json").read_text(encoding="utf-8")))
    names = sorted({file.name.split(".")[0] for file in path.glob("*.npy")})
    splits = {name: Split(_map(path / f"{name}.inputs.npy"), _map(path / f"{name}.targets.npy")) for name in names}
    remarks = json.loads((path / "remarks.json").read_text(encoding="utf-8"))
    return Store(spec, splits, tuple(remarks))


def _build(path: Path, spec: DataSpec, splits: dict[str, Arrays], remarks: Sequence[str]) -> None:
    for leftover in path.parent.glob(f".{path.name}.*"):  # of a process that was killed: this one has the lock
        shutil.rmtree(leftover)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    temporary.mkdir()
    try:
        for name, arrays in splits.items():
            assert arrays.inputs.dtype in (np.uint8, np.int32, np.float32)
            assert arrays.inputs.shape[1:] == spec.stored_shape
            assert arrays.targets.dtype in (np.int64, np.int32, np.float32)
            assert len(arrays.inputs) == len(arrays.targets)
            np.save(temporary / f"{name}.inputs.npy", np.ascontiguousarray(arrays.inputs))
            np.save(temporary / f"{name}.targets.npy", np.ascontiguousarray(arrays.targets))
        write_json(temporary / "spec.json", spec.to_dict())
        write_json(temporary / "remarks.json", list(remarks))
        temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _map(path: Path) -> Tensor:
    # Mode "c" (copy on write): processes use the same pages of memory, and torch gets a writable array, as it requires.
    return torch.from_numpy(np.load(path, mmap_mode="c"))
