"""A data set on the disk as arrays: built once from its official files, then memory-mapped."""

import hashlib
import json
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from filelock import FileLock
from torch import Tensor

from firstlight.data.checksums import check_files, write_checksums
from firstlight.files import cannot_read, naming, write_array, write_json
from firstlight.spec import DataSpec


@dataclass(frozen=True)
class Split:
    """The samples of one split, as rows of arrays.

    Attributes:
        inputs: raw samples: images (rows, channels, height, width), uint8; tokens (rows, sequence_length), int32;
            numbers (rows, columns), float32.
        targets: classes (rows,), int64; next tokens (rows, sequence_length), int32; numbers (rows, targets), float32;
            masks (rows, height, width), uint8, a class for each pixel of the image or `spec.IGNORED`; boxes
            (rows, objects, 5), float32: left, top, right and bottom in pixels of the image, and the class, which is
            `spec.NO_OBJECT` in empty rows; labels (rows, labels), uint8, 1 for those that fit and 0 for others.
        indices: rows that belong to the split, (samples,), int64; None for all rows.
        consecutive: whether each row continues the row before it, as windows of a text do.
        has_ends: whether the rows are whole texts; shorter ones end in -1.
    """

    inputs: Tensor
    targets: Tensor
    indices: Tensor | None = None
    consecutive: bool = False
    has_ends: bool = False

    def __len__(self) -> int:
        return len(self.targets if self.indices is None else self.indices)

    @property
    def own_targets(self) -> Tensor:
        """Targets of the rows that belong to the split: `targets` with (samples, ...) instead of (rows, ...)."""
        return self.targets if self.indices is None else self.targets[self.indices]

    @property
    def own_inputs(self) -> Tensor:
        """Inputs of the rows that belong to the split, (samples, ...), copied unless these are all rows."""
        return self.inputs if self.indices is None else self.inputs.index_select(0, self.indices)

    def take(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """Return copies of the inputs and targets of the samples with these indices (samples,)."""
        rows = samples if self.indices is None else self.indices[samples]
        # index_select copies complete rows and is ten times as fast as indexing with brackets.
        return self.inputs.index_select(0, rows), self.targets.index_select(0, rows)

    def part(self, samples: Tensor) -> "Split":
        """Return a split of the samples with these indices (samples,); it uses the same arrays."""
        return replace(self, indices=samples if self.indices is None else self.indices[samples])

    def to(self, device: torch.device) -> "Split":
        """Return a copy on the device, with only the rows that belong to the split."""
        inputs, targets = (self.inputs, self.targets) if self.indices is None else self.take(torch.arange(len(self)))
        return replace(self, inputs=inputs.to(device), targets=targets.to(device), indices=None)


class Arrays(NamedTuple):
    """The inputs and targets of a split as NumPy arrays, with the shapes and types of `Split`."""

    inputs: np.ndarray
    targets: np.ndarray

    def part(self, rows: np.ndarray) -> "Arrays":
        """Return some rows. The pixels of images are not copied before they are read, see `Rows`."""
        inputs = Rows(self.inputs, rows) if self.inputs.dtype == np.uint8 else self.inputs[rows]
        return Arrays(cast(np.ndarray, inputs), self.targets[rows])


class Rows:
    """Rows of an array that may be larger than the memory: indexing copies the requested rows alone.

    Args:
        array: the array.
        rows: indices of the rows.
    """

    def __init__(self, array: np.ndarray, rows: np.ndarray) -> None:
        self.array = array
        self.rows = rows
        self.dtype = array.dtype
        self.shape = (len(rows), *array.shape[1:])

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: Any) -> np.ndarray:
        first, *rest = key if isinstance(key, tuple) else (key,)
        return self.array[(self.rows[first], *rest)]


@dataclass(frozen=True)
class Store:
    """The memory-mapped splits of a data set, and its metadata.

    Attributes:
        spec: metadata for networks and tasks.
        splits: the samples of each split.
        remarks: lines for the user that say how the original files were understood.
        content: the checksum of each array, "<split>.inputs" and "<split>.targets". Equal data has equal checksums,
            whatever the names and times of its files.
        stored: the splits as they lie on the disk; several of `splits` may be rows of one of them.
    """

    spec: DataSpec
    splits: Mapping[str, Split]
    remarks: tuple[str, ...] = ()
    content: Mapping[str, str] = field(default_factory=dict)
    stored: Mapping[str, Split] = field(default_factory=dict)


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
    while True:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            with locked(path.with_name(f"{path.name}.lock")):
                if not path.exists():
                    spec, splits = read()
                    _build(path, spec, splits, remarks)
        try:
            return _open(path)
        except (OSError, EOFError, ValueError) as error:
            if path.exists():  # if not, `firstlight cache` has just deleted it
                raise cannot_read(path, str(error), "delete this folder; it is built again.") from error


def cached_spec(path: Path, compute: Callable[[], DataSpec]) -> DataSpec:
    """Return the spec in a file. If the file is missing or damaged, compute the spec and write it."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        found = json.loads(path.read_text())
        if found["checksum"] == content_key(found["spec"]):
            return DataSpec.from_dict(found["spec"])
    spec = compute()
    with suppress(OSError):  # the folder may be read-only
        write_json(path, {"spec": spec.to_dict(), "checksum": content_key(spec.to_dict())})
    return spec


@contextmanager
def locked(path: Path) -> Iterator[None]:
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
    checksums = check_files(path)
    spec = DataSpec.from_dict(json.loads((path / "spec.json").read_text(encoding="utf-8")))
    names = sorted({name.split(".")[0] for name in checksums if name.endswith(".npy")})
    arrays = {name: [_map(path / f"{name}.{part}.npy") for part in ("inputs", "targets")] for name in names}
    splits = {
        name: Split(inputs, targets, has_ends=bool(spec.vocabulary)) for name, (inputs, targets) in arrays.items()
    }
    remarks = json.loads((path / "remarks.json").read_text(encoding="utf-8"))
    content = {name.removesuffix(".npy"): value for name, value in checksums.items() if name.endswith(".npy")}
    return Store(spec, splits, tuple(remarks), content, splits)


def _build(path: Path, spec: DataSpec, splits: dict[str, Arrays], remarks: Sequence[str]) -> None:
    for leftover in path.parent.glob(f".{path.name}.*"):  # of a process that was killed: this one has the lock
        shutil.rmtree(leftover)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    temporary.mkdir()
    try:
        for name, arrays in splits.items():
            assert arrays.inputs.dtype in (np.uint8, np.int32, np.float32)
            assert arrays.inputs.shape[1:] == spec.stored_shape
            assert arrays.targets.dtype in (np.int64, np.int32, np.float32, np.uint8)
            assert len(arrays.inputs) == len(arrays.targets)
            for part, array in (("inputs", arrays.inputs), ("targets", arrays.targets)):
                with naming(path), (temporary / f"{name}.{part}.npy").open("wb") as file:
                    write_array(file, array)
        write_json(temporary / "spec.json", spec.to_dict())
        write_json(temporary / "remarks.json", list(remarks))
        write_checksums(temporary)
        temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _map(path: Path) -> Tensor:
    # Mode "c" (copy on write): processes use the same pages of memory, and torch gets a writable array, as it requires.
    return torch.from_numpy(np.load(path, mmap_mode="c"))
