"""What an evaluation prints about the classes: a table of each class, and the confusion matrix."""

import math

from firstlight.checks import printable
from firstlight.log import aligned
from firstlight.runs.findings.classified import Classified
from firstlight.runs.findings.segmented import Segmented

MAX_MATRIX = 12  # classes up to which the confusion matrix is printed
MAX_CLASSES = 40  # rows of the table of classes
_LONGEST = 20  # characters of a label


def classes_text(found: Classified | Segmented) -> str:
    """Return the table of the classes and, for at most 12 classes, the confusion matrix.

    Of more than 40 classes, those with the lowest F1 or IoU are shown.
    """
    rows = found.per_class()
    if len(rows) > MAX_CLASSES:
        rows = sorted(rows, key=lambda row: row[found.rank])[:MAX_CLASSES]
    columns = found.columns
    table = [["class", *columns], *([_label(row["class"]), *(_cell(row[name]) for name in columns)] for row in rows)]
    lines = [_right(table)]
    if len(rows) < len(found.labels):
        lines.append(f"the {len(rows)} classes of {len(found.labels)} with the lowest {found.rank}")
    if len(found.labels) <= MAX_MATRIX:
        names = [_label(label) for label in found.labels]
        counts = [[name, *map(str, row)] for name, row in zip(names, found.confusion().tolist(), strict=True)]
        lines += ["", "confusion matrix: a row for each true class, a column for each predicted one"]
        lines.append(_right([["", *names], *counts]))
    return "\n".join(lines)


def _right(table: list[list[str]]) -> str:
    """Return the rows as lines, with all columns but the first aligned to the right."""
    lengths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return aligned([[row[0], *map(str.rjust, row[1:], lengths[1:])] for row in table])


def _label(label: object) -> str:
    return printable(label, _LONGEST)


def _cell(value: str | int | float) -> str:
    if isinstance(value, float):
        return "-" if math.isnan(value) else f"{value:.4f}"
    return f"{value:,}" if isinstance(value, int) else value
