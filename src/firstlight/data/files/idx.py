"""Read the IDX file format of MNIST: a magic number, the sizes, then the bytes."""

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np

from firstlight.files import cannot_read

_MAX_BYTES = 2**30  # of one file; the largest of the EMNIST data sets has 547 MB
_MAX_RATIO = 1032  # by which deflate can compress at most
_MAX_AXES = 8


def read_idx(path: Path) -> np.ndarray:
    """Return the uint8 array in an IDX file; a file whose name ends in `.gz` is decompressed.

    Source: yann.lecun.com/exdb/mnist, "The IDX file format".

    Raises:
        ValueError: the file is not an IDX file of bytes, or its size differs from that in its header.
    """
    is_packed = path.suffix == ".gz"
    try:
        with gzip.open(path) if is_packed else path.open("rb") as stream:
            shape = _read_header(path, stream)
            start = 4 + 4 * len(shape)
            expected = start + math.prod(shape)
            size = path.stat().st_size
            if not is_packed and size != expected:
                raise _file_error(path, f"it has {size:,} bytes, but its header says {expected:,}")
            if expected > min(_MAX_BYTES, size * _MAX_RATIO):
                raise _file_error(path, f"its header says {expected:,} bytes, which is too many")
            content = stream.read(expected - start)
            is_longer = bool(stream.read(1))  # also verifies the checksum at the end of a gzip file
    except (OSError, EOFError, zlib.error) as error:
        raise _file_error(path, str(error)) from error
    if is_longer or len(content) != expected - start:
        found = "more" if is_longer else f"{start + len(content):,} bytes"
        raise _file_error(path, f"it has {found}, but its header says {expected:,}")
    return np.frombuffer(content, dtype=np.uint8).reshape(shape)


def _read_header(path: Path, stream: gzip.GzipFile | BinaryIO) -> tuple[int, ...]:
    """Return the shape of the array."""
    magic = stream.read(4)
    if len(magic) < 4 or magic[:3] != b"\x00\x00\x08" or magic[3] > _MAX_AXES:
        raise _file_error(path, "it is not an IDX file of bytes")
    sizes = stream.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise _file_error(path, "it ends within its header")
    return struct.unpack(f">{magic[3]}I", sizes)


def _file_error(path: Path, why: str) -> ValueError:
    return cannot_read(path, why, "delete this file and get it again.")
