"""Compressed files, which are read as if they were unpacked."""

import bz2
import gzip
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from firstlight.files.errors import cannot_read

_GZIP, _BZIP2, _XZ, _ZIP = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"PK\x03\x04"
_NAMES = {_GZIP: "gzip", _BZIP2: "bzip2", _XZ: "xz", _ZIP: "zip"}
_BLOCK = b"1AY&SY"  # after the level of bzip2; without it, the file is a text that begins with BZh
_ERRORS = (zlib.error, lzma.LZMAError, zipfile.BadZipFile, EOFError, OSError, RuntimeError, NotImplementedError)


def compression_of(path: Path) -> str | None:
    """Return the name of the program that has compressed a file, by its first bytes; None for other files."""
    with path.open("rb") as file:
        head = file.read(10)
    magic = next((magic for magic in _NAMES if head.startswith(magic)), None)
    return None if magic is None or (magic == _BZIP2 and head[4:] != _BLOCK) else _NAMES[magic]


@contextmanager
def open_unpacked(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading. One compressed by gzip, bzip2 or xz, or alone in a zip archive, is unpacked.

    Raises:
        ValueError: the compressed file is damaged, or the archive contains several files.
    """
    kind = compression_of(path)
    if kind is None:
        with path.open("rb") as file:
            yield file
        return
    try:
        if kind == "zip":
            with zipfile.ZipFile(path) as archive, archive.open(_only_member(path, archive)) as member:
                yield cast(BinaryIO, member)
        else:
            openers: dict[str, Any] = {"gzip": gzip.open, "bzip2": bz2.open, "xz": lzma.open}
            with openers[kind](path, "rb") as unpacked:
                yield unpacked
    except _ERRORS as error:
        what = "a zip archive that is damaged" if kind == "zip" else f"compressed by {kind}, and damaged"
        raise cannot_read(path, f"it is {what}: {error}", "unpack it, or get it again.") from error


def _only_member(path: Path, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    """Return the file in an archive, without what macOS adds.

    Raises:
        ValueError: there is not exactly one, or the archive is an Excel file.
    """
    files = [entry for entry in archive.infolist() if not entry.is_dir() and not entry.filename.startswith("__MACOSX/")]
    if any(entry.filename == "[Content_Types].xml" for entry in files):
        raise cannot_read(path, "it is an Excel file", "name it .xlsx.")
    if len(files) != 1:
        raise cannot_read(path, f"it is a zip archive of {len(files)} files", "unpack it, and name one of them.")
    return files[0]
