"""A data set on disk as arrays: built once from its official files, mapped into memory on every use."""

import hashlib
import json
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
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
        inputs: raw samples: images (rows, channels, height, width), uint8; tokens (rows, sequence_length), int32;
            numbers (rows, columns), float32.
        targets: classes (rows,), int64; the tokens that follow (rows, sequence_length), int32; numbers
            (rows, targets), float32.
        indices: (samples,), int64: the rows that belong to the split; None where all do.
        consecutive: whether each row goes on where the one before it ended, as windows of a text do.
    """

    inputs: Tensor
    targets: Tensor
    indices: Tensor | None = None
    consecutive: bool = False

    def __len__(self) -> int:
        return len(self.targets if self.indices is None else self.indices)

    @property
    def own_targets(self) -> Tensor:
        """Targets of the samples of this split alone: (samples,) of classes."""
        return self.targets if self.indices is None else self.targets[self.indices]

    def take(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """Copies of the inputs and targets of the samples with these numbers."""
        rows = samples if self.indices is None else self.indices[samples]
        # Copies whole rows; brackets would go by single numbers, which takes ten times as long.
        return self.inputs.index_select(0, rows), self.targets.index_select(0, rows)

    def part(self, samples: Tensor) -> "Split":
        """The split of the samples with these numbers; the arrays are shared."""
        return replace(self, indices=samples if self.indices is None else self.indices[samples])

    def to(self, device: torch.device) -> "Split":
        """A copy on the device, of no more than the rows that belong to the split."""
        inputs, targets = (self.inputs, self.targets) if self.indices is None else self.take(torch.arange(len(self)))
        return Split(inputs.to(device), targets.to(device), consecutive=self.consecutive)


class Arrays(NamedTuple):
    """What a source reads from its official files for one split: the inputs and targets of `Split`, in NumPy."""

    inputs: np.ndarray
    targets: np.ndarray


@dataclass(frozen=True)
class Store:
    """The splits of a data set, memory-mapped, and its facts."""

    spec: DataSpec
    splits: Mapping[str, Split]


def content_key(*parts: object) -> str:
    """Return a file name for content that depends on `parts` alone: 16 hexadecimal digits of their SHA-256.

    Args:
        parts: values that JSON can hold; the order of the keys of a dict does not matter.
    """
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def open_store(path: Path, read: Callable[[], tuple[DataSpec, dict[str, Arrays]]]) -> Store:
    """Open the store at `path`; where there is none yet, build it from the spec and splits that `read` returns.

    Of several processes one builds, and the others wait for it. A store is there as a whole or not at all:
    it is built beside `path` and renamed.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path.with_name(f"{path.name}.lock")):
            if not path.exists():
                _build(path, *read())
    try:
        return _open(path)
    except (OSError, EOFError, ValueError) as error:
        raise ValueError(f"{path}: damaged ({error}). Delete it; it is built again from the files.") from error


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Let one process at a time into the block; its lock file is gone afterwards.

    Removed while the lock is held: whoever has opened the file by then finds that it has no name any more once the
    lock is theirs, and FileLock lets them try again with a new file.
    """
    with FileLock(path):
        try:
            yield
        finally:
            with suppress(OSError):  # Windows keeps files that others have open
                path.unlink()


def _open(path: Path) -> Store:
    spec = DataSpec.from_dict(json.loads((path / "spec.json").read_text()))
    names = sorted({file.name.split(".")[0] for file in path.glob("*.npy")})
    return Store(
        spec, {name: Split(_map(path / f"{name}.inputs.npy"), _map(path / f"{name}.targets.npy")) for name in names}
    )


def _build(path: Path, spec: DataSpec, splits: dict[str, Arrays]) -> None:
    for leftover in path.parent.glob(f".{path.name}.*"):  # of a process that was killed; the lock is ours
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
        temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _map(path: Path) -> Tensor:
    # "c": pages are shared with all who map the file; a write would stay in this process, and torch asks no more.
    return torch.from_numpy(np.load(path, mmap_mode="c"))
