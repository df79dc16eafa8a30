"""The IDX file format of MNIST: a magic number, the sizes, then bytes."""

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np


def read_idx(path: Path) -> np.ndarray:
    """The uint8 array in an IDX file, compressed by gzip where its name ends in `.gz`.

    Source: yann.lecun.com/exdb/mnist, "The IDX file format".

    Raises:
        ValueError: not an IDX file of bytes, or shorter or longer than its header says.
    """
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path}: not a whole gzip file ({error}). Delete it and get it again.") from error
    if len(content) < 4 or content[:3] != b"\x00\x00\x08":
        raise ValueError(f"{path}: not an IDX file of bytes. Delete it and get it again.")
    start = 4 + 4 * content[3]
    if len(content) < start:
        raise ValueError(f"{path}: ends within its header. Delete it and get it again.")
    shape = struct.unpack(f">{content[3]}I", content[4:start])
    expected = start + math.prod(shape)
    if len(content) != expected:
        raise ValueError(
            f"{path}: {len(content):,} bytes, but its header says {expected:,}. Delete it and get it again."
        )
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)
