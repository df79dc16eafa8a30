"""TensorBoard's event file of a run, which a resumed run continues where its checkpoint is."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from firstlight.files import atomic_write, naming

if TYPE_CHECKING:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

FOLDER = "tensorboard"  # in the run folder
_FINAL = ("test/", "network/", "results", "samples", "_hparams_/")  # tags that are written after the training


class EventLog:
    """One event file. Unlike torch's `SummaryWriter`, it has no thread: all events are in the file after `flush`.

    Args:
        folder: the folder of the file. An event file in it is continued.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._unwritten: list[Event] = []
        self.path = next(iter(self._paths()), folder / f"events.out.tfevents.{time.time():.0f}.{socket.gethostname()}")

    @property
    def is_new(self) -> bool:
        """Whether there is no event file yet."""
        return not self.path.exists()

    def _paths(self) -> list[Path]:
        return sorted(self.folder.glob("events.out.tfevents.*"))

    def rewind(self, step: int) -> None:
        """Drop the events after a step, which the resumed run writes again, and those that end a run.

        Args:
            step: steps that have been taken. If there are none, all events are dropped.
        """
        paths = self._paths()
        if step and paths:
            events = [event for path in paths for event in _read(path) if _is_kept(event, step)]
            with atomic_write(self.path) as file:
                _write(file, [_version(), *_without_repetitions(events)])
        for path in paths[1:] if step else paths:
            path.unlink()

    def add(self, summary: Summary, step: int = 0) -> None:
        """Keep a summary, made by a function of `torch.utils.tensorboard.summary`, until `flush`."""
        from tensorboard.compat.proto.event_pb2 import Event

        self._unwritten.append(Event(wall_time=time.time(), step=step, summary=summary))

    def add_graph(self, graph: bytes) -> None:
        """Keep a serialized `GraphDef` until `flush`. It counts as written after the training."""
        from tensorboard.compat.proto.event_pb2 import Event

        self._unwritten.append(Event(wall_time=time.time(), graph_def=graph))

    def flush(self) -> None:
        """Append the events to the file, if there are any."""
        if not self._unwritten:
            return
        is_new = self.is_new
        self.folder.mkdir(parents=True, exist_ok=True)
        with naming(self.path), self.path.open("ab") as file:
            _write(file, [_version()] if is_new else [])
            _write(file, self._unwritten)
        self._unwritten = []


def _read(path: Path) -> list[Event]:
    """Return the events of a file; an incomplete one at its end is left out."""
    from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

    return list(LegacyEventFileLoader(str(path)).Load())


def _write(file: BinaryIO, events: list[Event]) -> None:
    from tensorboard.summary.writer.record_writer import RecordWriter

    writer = RecordWriter(file)
    for event in events:
        writer.write(event.SerializeToString())


def _version() -> Event:
    from tensorboard.compat.proto.event_pb2 import Event

    return Event(wall_time=time.time(), file_version="brain.Event:2")


def _is_kept(event: Event, step: int) -> bool:
    """Return whether an event holds a value that a run has written before its end, and up to a step."""
    if not event.HasField("summary"):
        return False
    return not event.summary.value[0].tag.startswith(_FINAL) and event.step <= step


def _without_repetitions(events: list[Event]) -> list[Event]:
    """Return the first event of each tag and step. A process that was killed may have left a second file."""
    return list({(event.summary.value[0].tag, event.step): event for event in reversed(events)}.values())[::-1]
