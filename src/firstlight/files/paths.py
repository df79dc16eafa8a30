"""The paths that users name."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
