"""The message for a file that cannot be read."""

from pathlib import Path


def cannot_read(path: str | Path, why: str, fix: str, line: int | None = None) -> ValueError:
    """Return the error for a file or folder that cannot be read.

    Args:
        path: the file or folder.
        why: the reason, without a capital and a full stop.
        fix: what the user can do, as a sentence without a capital.
        line: number of the line, if it is known.
    """
    place = path if line is None else f"{path}, line {line}"
    return ValueError(encodable(f"{place}: cannot read ({why}). To fix: {fix}"))


def encodable(text: str) -> str:
    """Return a text that every output can encode; a byte of a file name that is not UTF-8 becomes `\\udce9` or so."""
    return text.encode(errors="backslashreplace").decode()
