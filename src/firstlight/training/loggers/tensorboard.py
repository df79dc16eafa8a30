"""TensorBoard: event files in a folder of the run folder, which a resumed run continues where its checkpoint is."""

from __future__ import annotations

import io
import math
import socket
import time
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from lightning.pytorch.loggers.logger import rank_zero_experiment
from lightning.pytorch.utilities import rank_zero_only
from PIL import Image
from torch import Tensor

from firstlight.files import atomic_write, naming
from firstlight.training.loggers.run_logger import RunDetails, RunLogger, results

if TYPE_CHECKING:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

FOLDER = "tensorboard"  # in the run folder
_SPLITS = ("train", "val", "gap")
_NUM_BINS = 64  # of a histogram
_FINAL = ("test/", "test_")  # the beginnings of metrics that a run has once
_AT_THE_END = ("test/", "network/", "results", "samples", "_hparams_/")  # tags that are written after the training


class TensorBoard(RunLogger):
    """Writes events to the folder tensorboard/ of the run. A resumed run drops the events that it writes again.

    TensorBoard draws one chart for each name of a metric, and a line in it for each folder. So the metrics of training
    and validation and the gap between them lie in the folders train/, val/ and gap/, without their prefix: one chart
    shows all three. The steps are optimizer steps. Metrics that a run has once are no charts: they are columns of the
    table of hyperparameters, and rows of the text `results`.
    """

    drops_repetitions = True

    def __init__(self) -> None:
        self._hyperparameters: dict[str, Any] = {}
        self._last_steps: dict[str, int | None] = {}  # of each metric

    def attach(self, run: RunDetails) -> None:
        super().attach(run)
        self.folder = run.path / FOLDER
        self._logs = {name: EventLog(self.folder / name) for name in ("", *_SPLITS)}
        self._events = self._logs[""]
        self._writer = _Writer(self.folder)

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """A `SummaryWriter` of torch, for the code of a `LightningModule`; its events lie in a file beside ours."""
        return self._writer

    def begin(self, epochs: int, steps: int) -> None:
        for log in self._logs.values():
            log.rewind(steps if epochs else 0)
        self.is_new = self._events.is_new

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Keep hyperparameters for `log_results`, because TensorBoard shows them beside the final metrics."""
        self._hyperparameters |= params if isinstance(params, dict) else vars(params)

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        from torch.utils.tensorboard import summary  # after the first epoch, because the import takes time

        for name, value in metrics.items():
            # Lightning adds the epoch to the metrics of each step.
            is_shown = name != "epoch" and not name.startswith(_FINAL)
            if is_shown and self._last_steps.get(name) != step:
                folder, tag = _place(name)
                self._logs[folder].add(summary.scalar(tag, value), step or 0)
                self._last_steps[name] = step

    def log_results(self, metrics: dict[str, float], step: int, epoch: int) -> None:
        """Log the numbers of metrics.json as a text, and beside the hyperparameters, as columns of their table."""
        from torch.utils.tensorboard import summary

        shown = {name: value for name, value in results(metrics).items() if "/" in name and math.isfinite(value)}
        rows = "\n".join(f"| {name} | {value:.6g} |" for name, value in shown.items())
        self._events.add(summary.text("results", f"| metric | value |\n| --- | --- |\n{rows}"), step)
        plain = {
            name: value if isinstance(value, bool | int | float | str) else str(value)
            for name, value in self._hyperparameters.items()
        }
        # The first one lists the columns. Without it, TensorBoard finds those of all runs in its folder, as of a sweep.
        _, start, end = summary.hparams(shown | plain, {})
        for each in (start, end):
            self._events.add(each)

    def add_text(self, name: str, text: str, step: int = 0) -> None:
        from torch.utils.tensorboard import summary

        self._events.add(summary.text(name, f"```\n{text}\n```"), step)

    def add_image(self, name: str, image: Image.Image, step: int = 0) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary

        buffer = io.BytesIO()
        image.save(buffer, "png")
        channels = len(image.getbands())
        content = Summary.Image(
            height=image.height, width=image.width, colorspace=channels, encoded_image_string=buffer.getvalue()
        )
        self._events.add(Summary(value=[Summary.Value(tag=name, image=content)]), step)

    def add_histogram(self, name: str, values: Tensor, step: int = 0) -> None:
        from torch.utils.tensorboard import summary

        self._events.add(summary.histogram(name, values.numpy(), _NUM_BINS), step)

    def add_graph(self, graph: bytes) -> None:
        self._events.add_graph(graph)

    @rank_zero_only
    def save(self) -> None:
        for log in self._logs.values():
            log.flush()
        self._writer.flush()

    def end(self, status: str) -> None:
        for log in self._logs.values():
            log.flush()
        self._writer.close()


def _place(name: str) -> tuple[str, str]:
    """Return the folder and the name of a metric: `loss` in val/ for `val/loss`, or `val_loss` of a LightningModule."""
    for split in _SPLITS:
        if name.startswith((f"{split}/", f"{split}_")):
            return split, name[len(split) + 1 :]
    return "", name


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
    return not event.summary.value[0].tag.startswith(_AT_THE_END) and event.step <= step


def _without_repetitions(events: list[Event]) -> list[Event]:
    """Return the first event of each tag and step. A process that was killed may have left a second file."""
    return list({(event.summary.value[0].tag, event.step): event for event in reversed(events)}.values())[::-1]


class _Writer:
    """A `SummaryWriter` that exists from its first use on: Lightning asks each logger for one, and few runs use it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writer: Any = None

    def __getattr__(self, name: str) -> Any:
        from torch.utils.tensorboard import SummaryWriter

        if name.startswith("__"):
            raise AttributeError(name)
        self._writer = self._writer or SummaryWriter(str(self._folder), filename_suffix=".module")
        return getattr(self._writer, name)

    def flush(self) -> None:
        if self._writer is not None:
            self._writer.flush()

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
