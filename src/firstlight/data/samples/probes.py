"""A few samples of a data set that stand for all: whether the data has changed, and whether readings agree."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from firstlight.data.samples.access import Keys, Sample, read_sample

_NUMBER = 32


def probe_rows(number: int) -> list[int]:
    """Return the indices of at most 32 samples at equal distances, the first and the last included."""
    return sorted({round(index) for index in np.linspace(0, number - 1, min(_NUMBER, number))})


def digest(value: Any) -> str:
    """Return a checksum of the content of a sample: images, arrays, tensors, numbers and texts in any nesting."""
    found = hashlib.blake2b(digest_size=16)
    _add(found, value)
    return found.hexdigest()


def _add(found: Any, value: Any) -> None:
    if isinstance(value, Image.Image):
        found.update(f"image {value.mode} {value.size}".encode())
        found.update(value.tobytes())
    elif isinstance(value, np.ndarray) or hasattr(value, "__array__"):
        array = np.ascontiguousarray(np.asarray(value))
        found.update(f"array {array.dtype} {array.shape}".encode())
        found.update(array.tobytes())
    elif isinstance(value, Mapping | list | tuple):
        entries = value.items() if isinstance(value, Mapping) else value
        found.update(f"{len(value)} entries".encode())
        for entry in entries:
            _add(found, entry)
    else:
        found.update(f"{type(value).__name__} {value!r}".encode())


def read_probes(key: str, dataset: Any, keys: Keys) -> dict[int, Sample]:
    """Return the samples of `probe_rows` by number; the arguments are those of `read_sample`."""
    return {row: read_sample(key, dataset, row, keys) for row in probe_rows(len(dataset))}


def check_repeatable(key: str, dataset: Any, keys: Keys, before: Mapping[int, str]) -> None:
    """Check that samples are the same when they are read again.

    Args:
        key: key of the config, for messages.
        dataset: the data set.
        keys: see `read_sample`.
        before: the checksum of each probe at the first reading.

    Raises:
        ValueError: a sample differs.
    """
    for row, checksum in before.items():
        if digest(read_sample(key, dataset, row, keys)) != checksum:
            raise ValueError(
                f"{key}: must give the same sample whenever it is read, and sample {row:,} differs. Samples are read"
                " once and stored. To fix: leave random transforms out of the data set, and use augment= instead."
            )
