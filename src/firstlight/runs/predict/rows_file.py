"""A CSV file that grows while predictions are made, so that an interrupt or an error loses none of them."""

import csv
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from firstlight.files import output_file
from firstlight.runs.predict.screen import show


class RowsFile:
    """Rows of a CSV file in a temporary file `<name>.<unique>.part`, which replaces `target` at the end.

    Names of files that are not UTF-8 keep their bytes.

    Args:
        target: path of the CSV file.
        part: path of the temporary file.
        file: the temporary file.
    """

    def __init__(self, target: Path, part: Path, file: TextIO) -> None:
        self.target = target
        self.part = part
        self.file = file
        self.count = 0

    def add(self, rows: list[dict[str, Any]]) -> None:
        """Write rows, which all have the same keys, and pass them to the operating system."""
        with output_file("output", self.target):
            writer = csv.DictWriter(self.file, list(rows[0]), lineterminator="\n")
            if not self.count:
                writer.writeheader()
            writer.writerows(rows)
            self.file.flush()
        self.count += len(rows)


@contextmanager
def naming_earlier(target: Path) -> Iterator[None]:
    """If the block fails, print that the file at `target`, if there is one, is the result of an earlier prediction."""
    before = _version(target)
    try:
        yield
    except BaseException:
        if before is not None and _version(target) == before:
            show(f"{target} is the result of an earlier prediction, not of this one", sys.stderr)
        raise


def _version(path: Path) -> tuple[int, int] | None:
    """Return what changes when a file is replaced; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


@contextmanager
def rows_file(target: Path) -> Iterator[RowsFile]:
    """Open a `RowsFile` for the block. If the block ends early, the rows remain in the temporary file, which is named.

    Raises:
        ValueError: the file cannot be written.
    """
    part = target.with_name(f"{target.name}.{secrets.token_hex(3)}.part")
    with output_file("output", target):
        file = part.open("x", newline="", encoding="utf-8", errors="surrogateescape")
    rows = RowsFile(target, part, file)
    try:
        yield rows
        with output_file("output", target):
            file.flush()
            os.fsync(file.fileno())
            file.close()  # Windows does not rename an open file
            part.replace(target)
    except BaseException:
        with suppress(OSError):  # the disk may be full
            file.close()
        if rows.count:
            show(f"not complete: the first {rows.count:,} predictions are in {part}", sys.stderr)
        else:
            part.unlink(missing_ok=True)
        raise
