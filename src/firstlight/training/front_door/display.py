"""Runs as HTML for notebooks, in the colours of the page: they suit a dark page and a light one."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

_SPLITS = ("train", "val", "test")
_CELL = "text-align:right;padding:1px 8px;border-bottom:1px solid rgba(128,128,128,.3)"


def html_table(header: Sequence[object], rows: Sequence[Sequence[object]]) -> str:
    """Return a table whose numbers have six significant digits."""

    def line(cells: Sequence[object], tag: str) -> str:
        return "<tr>" + "".join(f'<{tag} style="{_CELL}">{escape(_text(cell))}</{tag}>' for cell in cells) + "</tr>"

    return f"<table>{line(header, 'th')}{''.join(line(row, 'td') for row in rows)}</table>"


def run_html(path: Path, metrics: Mapping[str, Any]) -> str:
    """Return the metrics of a run: a row for each split and a column for each metric."""
    splits = [split for split in _SPLITS if any(name.startswith(f"{split}/") for name in metrics)]
    names = list(dict.fromkeys(name.split("/")[1] for name in metrics if name.split("/")[0] in splits))
    rows = [[split, *(metrics.get(f"{split}/{name}", "") for name in names)] for split in splits]
    status = str(metrics.get("status", "unfinished"))
    epoch = f", best epoch {metrics['epoch']} by {metrics['monitor']}" if "epoch" in metrics else ""
    seconds = f", {metrics['seconds/total']:.1f} s" if "seconds/total" in metrics else ""
    title = f"<div>{escape(status + epoch + seconds)}</div>"
    return f"{title}{html_table(['', *names], rows) if rows else ''}<code>{escape(str(path))}</code>"


def _text(cell: object) -> str:
    return f"{cell:.6g}" if isinstance(cell, float) else "" if cell is None else str(cell)
