"""Read archives in memory: no member is written to the disk, so a path outside the archive does no harm."""

import gzip
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from firstlight.files import cannot_read

# Errors of the standard library for archives that are damaged, truncated or encrypted.
_ARCHIVE_ERRORS = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    RuntimeError,
    ValueError,
    OverflowError,
    struct.error,
)
_CHUNK = 1 << 20


def tar_files(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the content of each regular file in a `.tar.gz`; links and devices are skipped.

    Read all files, even if you need few: gzip's checksum is verified at the end of the archive.

    Raises:
        ValueError: the archive is damaged.
    """
    with _archive_errors(path), gzip.open(path) as stream, tarfile.open(fileobj=stream, mode="r:") as archive:
        for member in archive:
            file = archive.extractfile(member) if member.isfile() else None
            if file is not None:
                yield member.name.removeprefix("./"), file.read()
        while stream.read(_CHUNK):  # the bytes after tar's end marker, up to the checksum
            pass


def zip_names(path: Path) -> list[str]:
    """Return the names of the members of a zip.

    Raises:
        ValueError: the archive is damaged.
    """
    with _archive_errors(path), zipfile.ZipFile(path) as archive:
        return archive.namelist()


def zip_files(path: Path, names: Sequence[str]) -> list[bytes]:
    """Return the contents of the members with these names.

    Raises:
        ValueError: the archive is damaged.
    """
    with _archive_errors(path), zipfile.ZipFile(path) as archive:
        return [archive.read(name) for name in names]


@contextmanager
def _archive_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except _ARCHIVE_ERRORS as error:
        raise cannot_read(path, str(error), "delete this archive and get it again.") from error
