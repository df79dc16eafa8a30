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

from firstlight.checks import printable
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
_MAX_FILE = 2**27  # bytes of one file in an archive; the largest of an official archive has 83 MB
_MAX_HEADER = 2**20  # bytes of a header of tar, which holds names and times
_MAX_MEMBERS = 200_000
_MIN_TOTAL = 2**30  # bytes that any archive may have after decompression
_MAX_RATIO = 20  # by which a larger archive may be compressed; archives of images have 1.1, tables of numbers 5


def tar_files(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the content of each regular file in a `.tar.gz`; links and devices are skipped.

    Read all files, even if you need few: gzip's checksum is verified at the end of the archive.

    Raises:
        ValueError: the archive is damaged, or larger than any data set.
    """
    with _archive_errors(path), _BoundedGzip(path) as stream, tarfile.open(fileobj=stream, mode="r:") as archive:
        for number, member in enumerate(archive):
            if member.size > _MAX_FILE or number > _MAX_MEMBERS:
                raise ValueError(
                    f"it has more than {_MAX_MEMBERS:,} files, or {printable(member.name, 80)} is too large"
                )
            file = archive.extractfile(member) if member.isfile() else None
            if file is not None:
                with stream.for_content():
                    content = file.read()
                yield member.name.removeprefix("./"), content
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
        for name in names:
            if archive.getinfo(name).file_size > _MAX_FILE:
                raise ValueError(f"{printable(name, 80)} is too large")
        return [archive.read(name) for name in names]


@contextmanager
def _archive_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except _ARCHIVE_ERRORS as error:
        raise cannot_read(path, str(error), "delete this archive and get it again.") from error


class _BoundedGzip(gzip.GzipFile):
    """Raises an error before it decompresses more than an archive of this size holds.

    tarfile reads the content of headers, such as long names, at once and whatever their size.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._end = max(_MIN_TOTAL, _MAX_RATIO * path.stat().st_size)
        self._at_once = _MAX_HEADER
        self._position = 0

    @contextmanager
    def for_content(self) -> Iterator[None]:
        """Let the block read the content of a file, which may be larger than a header."""
        self._at_once = _MAX_FILE
        try:
            yield
        finally:
            self._at_once = _MAX_HEADER

    def read(self, size: int | None = -1) -> bytes:
        self._check(self._position, size or 0)
        content = super().read(size)
        self._position += len(content)
        return content

    def seek(self, offset: int, whence: int = 0) -> int:
        self._check(offset)
        self._position = super().seek(offset, whence)
        return self._position

    def _check(self, position: int, size: int = 0) -> None:
        if size > self._at_once:
            raise ValueError(f"a header has {size:,} bytes")
        if position + size > self._end:
            raise ValueError(f"it has more than {self._end:,} bytes after decompression")
