"""A short table of columns for the user: how each was understood, and how it is used."""

from collections.abc import Iterator
from pathlib import Path

from firstlight.data.tables.cells import Cells
from firstlight.data.tables.columns import fill_text, surprises
from firstlight.data.tables.inputs import Inputs
from firstlight.data.tables.kinds import counts_rows
from firstlight.data.tables.target import Target
from firstlight.data.tables.values import may_have_commas
from firstlight.spec import Column

_MAX_LINES = 10
_MAX_NAMES = 70  # characters of the names in a line


def describe_table(cells: Cells, target: Target, inputs: Inputs) -> list[str]:
    """Return at most ten lines: the file, then columns of the same kind and use, one group a line."""
    groups: dict[tuple[str, str], list[str]] = {}
    for kind, use, name in _entries(cells, inputs):
        groups.setdefault((kind, use), []).append(name)
    lines = [("class" if target.values.ndim == 1 else "number", target.name, target.how)]
    lines += [(kind, _clipped(names), use) for (kind, use), names in groups.items()]
    lines += [("test rows", "", message) for message in surprises(inputs.columns, cells)]
    if len(lines) > _MAX_LINES - 1:
        others = ", ".join(name for _, name, _ in lines[_MAX_LINES - 2 :] if name)
        lines[_MAX_LINES - 2 :] = [("others", _clipped([others]), f"{len(lines) - _MAX_LINES + 2} more ways of use")]
    lengths = [max(len(line[place]) for line in lines) for place in (0, 1)]
    size = f"{len(cells.frame):,} rows, {cells.frame.width:,} columns"
    head = f"{Path(cells.origin).name}: {size}{', ' * bool(cells.how)}{cells.how}"
    return [head, *(f"  {kind:{lengths[0]}}  {names:{lengths[1]}}  {use}" for kind, names, use in lines)]


def _entries(cells: Cells, inputs: Inputs) -> Iterator[tuple[str, str, str]]:
    """Yield the kind of each column, its use, and its name with what is special about it."""
    for column in inputs.columns:
        num_empty = cells.frame[column.name].null_count()
        details = []
        if column.kind == "category":
            details.append(f"{len(column.categories)}")
        if column.kind == "date":
            details.append(column.date_format)
        if num_empty:
            details.append(f"{num_empty:,} empty")
            details += [f"median {fill_text(column)}"] if column.kind != "category" else []
        if column.decimal == "," and may_have_commas(cells.frame[column.name]):
            details.append("decimal commas")
        yield column.kind, _use(column, cells), f"{column.name} ({', '.join(details)})" if details else column.name
    for column, reason in inputs.left_out:
        yield column.kind, f"left out: {reason}", column.name


def _use(column: Column, cells: Cells) -> str:
    uses = {
        "number": "an input",
        "boolean": "an input, 1 for true",
        "date": "an input: days since 1970",
        "category": "an input for each category",
    }
    use = uses[column.kind]
    if column.kind == "category":
        return f"{use}, and one for empty cells" if column.has_flag else use
    if column.has_flag:
        return f"{use}; empty cells become the training median, and another input flags them"
    if counts_rows(column, cells):
        return f"{use}; it numbers the rows, and data.drop leaves it out"
    return use


def _clipped(names: list[str]) -> str:
    text = ", ".join(names)
    if len(text) <= _MAX_NAMES:
        return text
    shown = text[: _MAX_NAMES - 15].rpartition(", ")[0] or text[: _MAX_NAMES - 15]
    hidden = len(names) - shown.count(", ") - 1
    return f"{shown} and {hidden:,} more" if hidden else f"{shown} ..."
