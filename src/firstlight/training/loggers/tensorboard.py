"""TensorBoard: an event file in the run folder."""

import math
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch.loggers.logger import rank_zero_experiment
from lightning.pytorch.utilities import rank_zero_only
from PIL import Image

from firstlight.training.loggers.event_log import BY_EPOCH, EventLog
from firstlight.training.loggers.run_logger import RunDetails, RunLogger


class TensorBoard(RunLogger):
    """Writes events to the run folder. A resumed run drops the events that it writes again.

    The steps of metrics are optimizer steps. Below `by_epoch/`, they are epochs.
    """

    def __init__(self) -> None:
        self._hyperparameters: dict[str, Any] = {}
        self._last_steps: dict[str, int | None] = {}  # of each metric

    def attach(self, run: RunDetails) -> None:
        super().attach(run)
        self._events = EventLog(run.path)
        self._writer = _Writer(run.path)

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """A `SummaryWriter` of torch, for the code of a `LightningModule`; its events lie in a file beside ours."""
        return self._writer

    def begin(self, epochs: int, steps: int) -> None:
        self._events.rewind(epochs, steps)
        self.is_new = self._events.is_new

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Keep hyperparameters for `log_results`, because TensorBoard shows them beside the final metrics."""
        self._hyperparameters |= params if isinstance(params, dict) else vars(params)

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        from torch.utils.tensorboard import summary  # after the first epoch, because the import takes time

        for name, value in metrics.items():
            # Lightning adds the epoch to the metrics of each step; charts by epoch lie below `by_epoch/`. It has also
            # logged what the `LightningModule` of a user logs in the test.
            if name != "epoch" and self._last_steps.get(name) != step:
                self._events.add(summary.scalar(name, value), step or 0)
                self._last_steps[name] = step

    def log_epoch(self, metrics: dict[str, float], step: int, epoch: int) -> None:
        for name, value in metrics.items():
            self.log_metrics({name: value}, step)
            self.log_metrics({BY_EPOCH + name: value}, epoch)

    def log_results(self, metrics: dict[str, float], step: int, epoch: int) -> None:
        """Log the test metrics by step and by epoch, and all numbers beside the hyperparameters."""
        from torch.utils.tensorboard.summary import hparams

        self.log_epoch({name: value for name, value in metrics.items() if name.startswith("test/")}, step, epoch)
        shown = {name: value for name, value in metrics.items() if "/" in name and math.isfinite(value)}
        plain = {
            name: value if isinstance(value, bool | int | float | str) else str(value)
            for name, value in self._hyperparameters.items()
        }
        for summary in hparams(plain, shown):
            self._events.add(summary)

    def add_text(self, name: str, text: str) -> None:
        from torch.utils.tensorboard import summary

        self._events.add(summary.text(name, f"```\n{text}\n```"))

    def add_image(self, name: str, image: Image.Image) -> None:
        from torch.utils.tensorboard import summary

        self._events.add(summary.image(name, np.asarray(image), dataformats="HWC"))

    @rank_zero_only
    def save(self) -> None:
        self._events.flush()
        self._writer.flush()

    def end(self, status: str) -> None:
        self._events.flush()
        self._writer.close()


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
