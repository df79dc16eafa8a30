"""Read the files of Weights & Biases' offline runs: blocks of 32 KiB with the records of LevelDB's log format."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_HEADER, _BLOCK = 7, 32768


def read_wandb(folder: Path) -> dict[str, Any]:
    """Return what the offline runs of a run folder hold, from the first to the last.

    Returns:
        "ids", "groups", "tags" and "notes" of each start; "exits", the exit codes; "preempting", how often it was
        marked; "config" and "summary", the last values; "history", the rows with their `_step`.
    """
    found: dict[str, Any] = {name: [] for name in ("ids", "groups", "tags", "notes", "exits", "history")}
    found |= {"config": {}, "summary": {}, "preempting": 0}
    for path in sorted(folder.glob("wandb/offline-run-*/*.wandb"), key=lambda path: path.stat().st_mtime):
        for record in _records(path):
            _add(found, record)
    return found


def _add(found: dict[str, Any], record: Any) -> None:
    kind = record.WhichOneof("record_type")
    if kind == "run":
        found["ids"].append(record.run.run_id)
        found["groups"].append(record.run.run_group)
        found["tags"].append(list(record.run.tags))
        found["notes"].append(record.run.notes)
        found["config"] |= _items(record.run.config.update)
    elif kind == "config":
        found["config"] |= _items(record.config.update)
    elif kind == "summary":
        found["summary"] |= _items(record.summary.update)
    elif kind == "history":
        found["history"].append({"_step": record.history.step.num} | _items(record.history.item))
    elif kind == "exit":
        found["exits"].append(record.exit.exit_code)
    elif kind == "preempting":
        found["preempting"] += 1


def _items(items: Any) -> dict[str, Any]:
    return {item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in items}


def _records(path: Path) -> Iterator[Any]:
    from wandb.proto import wandb_internal_pb2

    content, place, parts = path.read_bytes(), _HEADER, b""
    while place + 7 <= len(content):
        left = _BLOCK - place % _BLOCK
        if left < 7:
            place += left
            continue
        _, length, kind = struct.unpack("<IHB", content[place : place + 7])
        parts += content[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # a whole record, or its last part
            record = wandb_internal_pb2.Record()
            record.ParseFromString(parts)
            yield record
            parts = b""
