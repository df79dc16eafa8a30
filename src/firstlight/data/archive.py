"""Archives, read where they lie: nothing is unpacked to the disk."""

import gzip
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PureWindowsPath

# What the standard library raises on archives that are damaged, cut off or encrypted, and `_check_member`.
_REFUSALS = (
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
    """The files in a `.tar.gz` with their names, one after another.

    To be read to its end: only there does the checksum tell that every byte is right.

    Raises:
        ValueError: a damaged archive, or one with a member that points outside of it; names both.
    """
    with _archive_errors(path), gzip.open(path) as stream, tarfile.open(fileobj=stream, mode="r:") as archive:
        for member in archive:
            _check_member(member.name, is_plain=member.isfile() or member.isdir())
            file = archive.extractfile(member) if member.isfile() else None
            if file is not None:
                yield member.name.removeprefix("./"), file.read()
        while stream.read(_CHUNK):  # what is behind tar's end marker
            pass


def zip_names(path: Path) -> list[str]:
    """The names in a zip.

    Raises:
        ValueError: a damaged archive.
    """
    with _archive_errors(path), zipfile.ZipFile(path) as archive:
        return archive.namelist()


def zip_files(path: Path, names: Sequence[str]) -> list[bytes]:
    """The files in a zip that have these names.

    Raises:
        ValueError: a damaged archive, or one with a member that points outside of it; names both.
    """
    with _archive_errors(path), zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            kind = stat.S_IFMT(member.external_attr >> 16)  # 0 where the zip was not made on Unix
            _check_member(member.filename, is_plain=kind in (0, stat.S_IFREG, stat.S_IFDIR))
        return [archive.read(name) for name in names]


@contextmanager
def _archive_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except _REFUSALS as error:
        raise ValueError(f"{path}: not an archive that can be read ({error}). Delete it and get it again.") from error


def _check_member(name: str, *, is_plain: bool) -> None:
    """Refuse what an honest archive of data does not hold: it may have been made to do harm."""
    place = PureWindowsPath(name)  # knows both slashes, and drives
    if place.anchor or ".." in place.parts:
        raise ValueError(f"its member {name} points outside of it")
    if not is_plain:
        raise ValueError(f"its member {name} is a link or a device, no file")
