"""Tables on the screen."""

from collections.abc import Sequence


def table(header: Sequence[str], rows: Sequence[Sequence[str | float]], form: str = ".4g") -> str:
    """Return lines whose columns are aligned on the right.

    Args:
        header: the names of the columns.
        rows: texts and numbers.
        form: the format of the numbers, as in an f-string.
    """
    texts = [[value if isinstance(value, str) else number(value, form) for value in row] for row in rows]
    cells = [list(header), *texts]
    sizes = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join("  ".join(map(str.rjust, row, sizes)) for row in cells)


def number(value: float, form: str = ".4g") -> str:
    """Return a number as text; one that rounds to zero has no minus, and rounding errors below 1e-12 are zero."""
    text = format(0.0 if abs(value) < 1e-12 else value, form)
    return text if text.strip("-0.") else text.removeprefix("-")
