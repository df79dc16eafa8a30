"""Read the IDX file format of MNIST: a magic number, the sizes, then the bytes."""

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from firstlight.files import cannot_read


def read_idx(path: Path) -> np.ndarray:
    """Return the uint8 array in an IDX file; a file whose name ends in `.gz` is decompressed.

    Source: yann.lecun.com/exdb/mnist, "The IDX file format".

    Raises:
        ValueError: the file is not an IDX file of bytes, or its size differs from that in its header.
    """
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise _file_error(path, str(error)) from error
    if len(content) < 4 or content[:3] != b"\x00\x00\x08":
        raise _file_error(path, "it is not an IDX file of bytes")
    start = 4 + 4 * content[3]
    if len(content) < start:
        raise _file_error(path, "it ends within its header")
    shape = struct.unpack(f">{content[3]}I", content[4:start])
    expected = start + math.prod(shape)
    if len(content) != expected:
        raise _file_error(path, f"it has {len(content):,} bytes, but its header says {expected:,}")
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)


def _file_error(path: Path, why: str) -> ValueError:
    return cannot_read(path, why, "delete this file and get it again.")
