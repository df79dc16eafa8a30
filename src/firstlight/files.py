"""Files that are whole or not there: written beside their target, flushed to the disk, then renamed."""

import csv
import io
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing that takes the place of `path` when the block ends without an error."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def user_path(text: str | Path) -> Path:
    """Return an absolute path; `~` is the home directory, and other paths start at the working directory."""
    return Path(text).expanduser().absolute()


@contextmanager
def output_file(key: str, path: Path) -> Iterator[None]:
    """Make the folder of a file that the user names with `key`, for the block that writes it.

    Raises:
        ValueError: the folder cannot be made, or the block cannot write the file.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise ValueError(f"{key}={path}: cannot be written ({error}).") from error


def read_text(path: Path) -> str:
    """What is in a file in UTF-8, without a byte order mark.

    Raises:
        ValueError: it is not UTF-8; names the file and the byte.
    """
    try:
        return path.read_bytes().decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        wrong = error.object[error.start]
        raise ValueError(
            f"{path}, byte {error.start:,}: 0x{wrong:02x} is not UTF-8 ({error.reason}). Convert the file to UTF-8."
        ) from error


def write_text(path: Path, text: str) -> None:
    """Put `text` into `path`, all or nothing."""
    with atomic_write(path) as file:
        file.write(text.encode())


def write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    """Put `rows` into `path` as CSV, all or nothing; the columns are all their keys, in the order of their coming."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(dict.fromkeys(key for row in rows for key in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Put `values` into `path` as JSON, all or nothing."""
    write_text(path, json.dumps(values, indent=2) + "\n")
