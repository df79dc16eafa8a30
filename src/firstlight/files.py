"""Read and write files; atomic writes replace a file completely or not at all."""

import csv
import errno
import io
import json
import os
import re
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

# The kinds of `OSError` of a disk, a quota or a file size that does not suffice. Windows has no quotas.
_FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{8}")
LOCK_FILES = (".lock", ".owner")  # the lock of a folder, and the process that has it


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


def is_unfinished(path: Path) -> bool:
    """Return whether a file is the temporary file of an atomic write, which stays if its process is killed."""
    return bool(_TEMPORARY.fullmatch(path.name))


@contextmanager
def only_process(folder: Path, key: str) -> Iterator[None]:
    """Lock a folder for the block. The system releases the lock when the process ends, however it ends.

    Args:
        folder: an existing folder.
        key: the option that names the folder, and its value, for the message.

    Raises:
        ValueError: another process has the lock; the message names it.
    """
    from filelock import FileLock, Timeout

    lock_path, owner = (folder / name for name in LOCK_FILES)
    lock = FileLock(lock_path)
    try:
        with naming(lock_path):
            lock.acquire(timeout=0)
    except Timeout:
        named = owner.read_text() if owner.is_file() else "another process"
        raise ValueError(f"{key}: must be a folder that no other process writes to, and {named} does.") from None
    try:
        write_text(owner, f"process {os.getpid()} on {socket.gethostname()}")
        yield
    finally:
        owner.unlink(missing_ok=True)
        with suppress(OSError):  # Windows does not delete open files
            lock_path.unlink()  # while it is locked, so it is not the lock of another process
        lock.release()


def user_path(text: str | Path) -> Path:
    """Return an absolute path; `~` is the home directory, and other paths start at the working directory."""
    return Path(text).expanduser().absolute()


@contextmanager
def output_file(key: str, path: Path) -> Iterator[None]:
    """Create the folder of a file that the user names with `key`, for the block that writes the file.

    Raises:
        ValueError: the folder cannot be created, or the block raises an `OSError`.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise ValueError(f"{key}={path}: must be a writable path ({error}).") from error


def cannot_read(path: str | Path, why: str, fix: str, line: int | None = None) -> ValueError:
    """Return the error for a file or folder that cannot be read.

    Args:
        path: the file or folder.
        why: the reason, without a capital and a full stop.
        fix: what the user can do, as a sentence without a capital.
        line: number of the line, if it is known.
    """
    place = path if line is None else f"{path}, line {line}"
    return ValueError(printable(f"{place}: cannot read ({why}). To fix: {fix}"))


def printable(text: str) -> str:
    """Return a text that every output can encode; a byte of a file name that is not UTF-8 becomes `\\udce9` or so."""
    return text.encode(errors="backslashreplace").decode()


def read_text(path: Path) -> str:
    """Return the text of a file in UTF-8, without a byte order mark.

    Raises:
        ValueError: the file is not in UTF-8; the message names the file and the byte.
    """
    try:
        return path.read_bytes().decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        why = f"byte {error.start} is 0x{error.object[error.start]:02x}, which is not UTF-8: {error.reason}"
        raise cannot_read(path, why, "convert the file to UTF-8.") from error


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


def read_bounded(path: Path, at_most: int, fix: str) -> bytes:
    """Return the content of a file.

    Args:
        path: the file.
        at_most: the largest number of bytes that such a file needs; no more are read.
        fix: see `cannot_read`.

    Raises:
        ValueError: the file is larger.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        content = b"" if size > at_most else file.read(size)
    if size > at_most:
        raise cannot_read(path, f"it has more than {at_most:,} bytes", fix)
    return content


def read_json(path: Path, at_most: int, fix: str) -> Any:
    """Return the values in a JSON file; the arguments are those of `read_bounded`.

    Raises:
        ValueError: the file is too large, is not JSON, or contains NaN or Inf, which JSON does not have.
    """
    content = read_bounded(path, at_most, fix)
    try:
        return json.loads(content, parse_constant=_refuse_constant)
    except ValueError as error:
        raise cannot_read(path, f"it is not JSON: {error}", fix) from error
    except RecursionError as error:
        raise cannot_read(path, "it has too many levels", fix) from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"it contains {name}")
