"""TensorBoard: event files in a folder of the run folder."""

import io
import math
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers.logger import rank_zero_experiment
from lightning.pytorch.utilities import rank_zero_only
from PIL import Image
from torch import Tensor

from firstlight.training.loggers.event_log import FOLDER, EventLog
from firstlight.training.loggers.run_logger import RunDetails, RunLogger, results

_SPLITS = ("train", "val", "gap")
_NUM_BINS = 64  # of a histogram
_FINAL = ("test/", "test_")  # the beginnings of metrics that a run has once


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
    def log_dir(self) -> str:
        """The folder tensorboard/ of the run."""
        return str(self.folder)

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
