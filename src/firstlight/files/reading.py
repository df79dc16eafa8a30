"""Files that may come from anyone: no more is read than such a file needs."""

import json
import os
from pathlib import Path
from typing import Any

from firstlight.files.errors import cannot_read


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
