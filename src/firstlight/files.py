"""Read and write files; atomic writes replace a file completely or not at all."""

import codecs
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
# The longer marks come first, because the mark of UTF-32 begins with that of UTF-16.
_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
# The encodings of Windows, of older Macs and of East Asia, from which one is detected. If several fit equally well, it
# is the first of them.
_ENCODINGS = [
    *("cp1252", "iso8859_2", "cp1250", "cp1251", "cp1254", "cp1253", "cp1255", "cp1256", "cp1257", "cp1258"),
    *("gb18030", "cp932", "euc_jp", "cp949", "cp950", "cp874", "koi8_r", "mac_roman"),
]
_LINE_ENDS = re.compile("\r\n|[\r\x85\u2028\u2029]")
_SAMPLE = 2**20  # bytes from which the encoding is detected


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


def user_path(text: str | Path, key: str = "path") -> Path:
    """Return the absolute path that the user means; all paths of the user pass through this function.

    `~` is the home directory, `~name` that of another user, `$NAME` an environment variable that is set. Other paths
    start at the working directory.

    Args:
        text: what the user has written.
        key: the key of the config, for the message.

    Raises:
        ValueError: the path is empty, or begins with `~` and no user has this name.
    """
    if not str(text).strip():
        raise ValueError(f"{key}={text}: must be a path, and this one is empty.")
    path = os.path.expandvars(os.path.expanduser(text))  # noqa: PTH111  # Path.expanduser fails if a name begins with ~
    if path.startswith("~") and not os.path.lexists(path):
        raise ValueError(f"{key}={text}: must be a path, and there is no home directory {Path(path).parts[0]}.")
    return Path(path).absolute()


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


def read_text(path: Path, remarks: list[str] | None = None) -> str:
    """Return the text of a file in any common encoding, with "\\n" as its only line end.

    A byte order mark decides the encoding. Without one, it is UTF-8 or, if that is impossible, detected.

    Args:
        path: the file.
        remarks: list that receives lines about an encoding that was detected, and about other line ends.

    Raises:
        ValueError: the file cannot be read, is binary, or is a damaged text; the message names the file and the byte.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise cannot_read(path, error.strerror or str(error), "name a text that can be read.") from error
    encoding, origin = _find_encoding(path, content)
    try:
        text = content.decode(encoding).replace("\ufeff", "")  # joined files have marks within the text
    except UnicodeDecodeError as error:
        raise _not_text(path, error, encoding) from error
    if "\0" in text:
        raise cannot_read(path, f"it is binary: character {text.index(chr(0)):,} is NUL", "name a text file.")
    text, num_ends = _LINE_ENDS.subn("\n", text)
    if remarks is not None and origin:
        remarks.append(f"{path.name}: read as {encoding}, {origin}")
    if remarks is not None and num_ends:
        remarks.append(f"{path.name}: {num_ends:,} line ends of other systems (such as CR LF) read as LF")
    return text


def _find_encoding(path: Path, content: bytes) -> tuple[str, str]:
    """Return the encoding of a text and how it is known; this is empty for UTF-8."""
    for mark, encoding in _MARKS.items():
        if content.startswith(mark):
            return encoding, "" if encoding == "utf-8" else "which its byte order mark names"
    if b"\0" in content:
        zeros = [content[start::2].count(0) / len(content) for start in (0, 1)]
        wide = "utf-16-le" if zeros[1] > 0.25 else "utf-16-be"  # every second byte of Latin letters is 0
        return (wide, "which its zero bytes suggest") if max(zeros) > 0.25 and min(zeros) < 0.01 else ("utf-8", "")
    try:
        content.decode()
    except UnicodeDecodeError as error:
        detected = None if _is_damaged(content) else _detect_encoding(content)
        if detected is None:
            raise _not_text(path, error, "UTF-8") from error
        return detected, "which was detected; if this is wrong, save the text as UTF-8"
    return "utf-8", ""


def _is_damaged(content: bytes) -> bool:
    """Return whether half of the characters beyond ASCII are UTF-8, so that the text was in UTF-8 before its damage."""
    text = content.decode(errors="replace")
    num_bad = text.count("\ufffd")
    return 0 < num_bad <= sum(map(len, re.findall("[^\0-\x7f\ufffd]+", text)))


def _detect_encoding(content: bytes) -> str | None:
    """Return the encoding that fits best to the lines beyond ASCII; None if the content is not a text."""
    from charset_normalizer import from_bytes  # takes a tenth of a second to import

    lines = b"\n".join(line for line in content.splitlines() if not line.isascii())[:_SAMPLE]
    matches = list(from_bytes(lines, cp_isolation=_ENCODINGS, enable_fallback=False))
    best = [match for match in matches if match.chaos < matches[0].chaos + 0.01]
    best = [match for match in best if match.coherence > best[0].coherence - 0.02]
    found = {name for match in best for name in match.could_be_from_charset}
    if not matches and len(content.decode("ascii", "ignore")) > 0.75 * len(content):  # too few letters to detect
        found = {"cp1252"}
    return next((name for name in _ENCODINGS if name in found and _is_text(content, name)), None)


def _is_text(content: bytes, encoding: str) -> bool:
    try:
        return not re.search("[\0-\x08\x0e-\x1a\x1c-\x1f\x7f-\x9f]", content.decode(encoding))
    except UnicodeDecodeError:
        return False


def _not_text(path: Path, error: UnicodeDecodeError, encoding: str) -> ValueError:
    why = f"byte {error.start} is 0x{error.object[error.start]:02x}, which is not {encoding}: {error.reason}"
    return cannot_read(path, why, "save the text as UTF-8.")


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
