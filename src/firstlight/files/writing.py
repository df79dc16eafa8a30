"""Atomic writes replace a file completely or not at all."""

import csv
import errno
import io
import json
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    import numpy as np

# The kinds of `OSError` of a disk, a quota or a file size that does not suffice. Windows has no quotas.
_FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{8}")


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file for writing, which replaces `path` if the block ends without an error.

    The file is flushed to the disk before it is renamed. An `OSError` names `path`.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with naming(path):
            with temporary.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let an `OSError` of the block that names no file, such as that of a full disk, name `path`."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = str(path)
        raise


def is_disk_full(error: BaseException) -> bool:
    """Return whether an error says that a disk, a quota or the allowed size of a file does not suffice."""
    return isinstance(error, OSError) and error.errno in _FULL


def full_disk_message(error: OSError) -> str:
    """Return which file could not be written, and why; see `is_disk_full`."""
    return f"{error.filename}: cannot write ({error.strerror}). To fix: free some space."


def is_unfinished(path: Path) -> bool:
    """Return whether a file is the temporary file of an atomic write, which stays if its process is killed."""
    return bool(_TEMPORARY.fullmatch(path.name))


def write_array(file: BinaryIO, array: "np.ndarray") -> None:
    """Write an array of any shape as `np.save` does, which hides the cause of an error, such as a full disk."""
    import numpy as np  # this module is imported before anything that takes time

    array = np.ascontiguousarray(array)
    np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
    file.write(array.reshape(-1).view(np.uint8).data)


def write_text(path: Path, text: str) -> None:
    """Write a text to `path` atomically, in UTF-8; file names that are not UTF-8 keep their bytes."""
    with atomic_write(path) as file:
        file.write(text.encode(errors="surrogateescape"))


def write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write rows to `path` atomically as CSV; the columns are the keys of all rows in order of first occurrence."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(dict.fromkeys(key for row in rows for key in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def write_json(path: Path, values: dict[str, Any] | list[Any]) -> None:
    """Write values to `path` atomically as JSON."""
    write_text(path, json.dumps(values, indent=2) + "\n")
