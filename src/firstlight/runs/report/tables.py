"""The tables of a report: the metrics of each split, and of each class."""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firstlight.files import read_bounded
from firstlight.runs.report.pages import number

SPLITS = ("train", "val", "test")
_ARROWS = {"min": " ↓", "max": " ↑"}
_MAX_BYTES = 2**24  # of per_class.csv
_FIX = "delete this file, or evaluate the run again."


@dataclass(frozen=True)
class Table:
    """Texts in rows; the first of each row is its name. A table without rows is false."""

    header: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    caption: str = ""

    def __bool__(self) -> bool:
        return bool(self.rows)


def by_split(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metrics of splits as "<split>/<name>"; a LightningModule may name them `val_loss`."""
    named = {re.sub(rf"^({'|'.join(SPLITS)})_", r"\1/", name): value for name, value in metrics.items()}
    return {name: value for name, value in named.items() if name.partition("/")[0] in SPLITS}


def metric_table(
    metrics: Mapping[str, Any], history: Sequence[Mapping[str, str]], directions: Mapping[str, str | None]
) -> Table:
    """Return a row for each split and a column for each metric.

    Args:
        metrics: the content of metrics.json.
        history: the rows of metrics.csv; the last one is shown for a run without a best epoch.
        directions: "min" or "max" by the name of the metric.
    """
    found, caption = by_split(metrics), "The best epoch, and the test split with its weights."
    if not found and history:
        found, caption = by_split({name: _parsed(text) for name, text in history[-1].items()}), "The last epoch."
    names = list(dict.fromkeys(name.partition("/")[2] for name in found))
    splits = [split for split in SPLITS if any(name.startswith(f"{split}/") for name in found)]
    known = any(directions.get(name) in _ARROWS for name in names)
    return Table(
        ["split", *(name + _ARROWS.get(directions.get(name) or "", "") for name in names)],
        [[split, *(number(found.get(f"{split}/{name}")) for name in names)] for split in splits],
        caption + (" ↑ higher is better, ↓ lower is better." if known else ""),
    )


def class_table(path: Path) -> Table:
    """Return the content of per_class.csv; an empty table without this file.

    Raises:
        ValueError: the file is too large.
    """
    if not path.is_file():
        return Table()
    text = read_bounded(path, _MAX_BYTES, _FIX).decode(errors="replace")
    header, *rows = list(csv.reader(io.StringIO(text))) or [[]]
    return Table(
        [name.replace("_", " ") for name in header], [[row[0], *map(_rounded, row[1:])] for row in rows if row]
    )


def _rounded(cell: str) -> str:
    return number(_parsed(cell))


def _parsed(cell: str) -> Any:
    """Return the number in a cell; whole numbers stay whole, and other texts stay texts."""
    try:
        return int(cell) if cell.lstrip("-").isdecimal() else float(cell)
    except ValueError:
        return cell
