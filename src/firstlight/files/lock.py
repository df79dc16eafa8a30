"""A lock that lets one process at a time write to a folder."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from firstlight.files.writing import naming, write_text

LOCK_FILES = (".lock", ".owner")
"""The lock of a folder, and the process that has it."""


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
