"""The records of a training: metrics.csv, TensorBoard's event file, and times."""

from __future__ import annotations

import csv
import math
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from lightning.pytorch import Trainer
from omegaconf import OmegaConf
from PIL import Image
from torch import Tensor

from firstlight.config import RunConfig
from firstlight.data import Split
from firstlight.runs import RunFolder
from firstlight.runs.preview import augmentation_sheet
from firstlight.tasks import Task
from firstlight.training.callbacks.run_callbacks import RunCallback
from firstlight.training.module import TrainingModule

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


class Recorder(RunCallback):
    """Writes the metrics of each epoch to metrics.csv and to TensorBoard, on the first rank only.

    Args:
        folder: the run folder.
        config: the config of the run.
        started: `time.perf_counter()` at the start of the run.
        samples: raw samples for the image that shows the augmentation.

    Attributes:
        row: the row of the latest epoch: its number, counted from 1, its last step, its metrics, the learning rate of
            that step, and its seconds.
        seconds_to_first_step: seconds from `started` to the end of the first step; NaN before.
        samples_per_second: the speed of the training without validation. The first epoch, which is slower, counts only
            if it is the only one.
    """

    def __init__(self, folder: RunFolder, config: RunConfig, started: float, samples: Split) -> None:
        self.folder = folder
        self.config = config
        self.started = started
        self.samples = samples
        self.row: dict[str, Any] = {}
        self.seconds_to_first_step = math.nan
        self._columns: list[str] = []
        self._every_n_steps = config.trainer.get("log_every_n_steps") or 50
        self._step_losses: list[tuple[int, Tensor]] = []
        self._speeds: list[tuple[int, float]] = []  # samples and seconds of the training in each epoch
        self._writer: SummaryWriter | None = None
        # Lightning calls no hook of a run that was stopped after its last epoch and is resumed for its test.
        self._first_step: int | None = None
        self._is_new = False

    @property
    def samples_per_second(self) -> float:
        """Samples per second over all ranks; NaN before the end of the first epoch."""
        epochs = self._speeds[1:] or self._speeds
        return sum(samples for samples, _ in epochs) / sum(seconds for _, seconds in epochs) if epochs else math.nan

    def on_train_start(self, trainer: Trainer, module: TrainingModule) -> None:
        """Begin metrics.csv. A resumed run drops the rows of the epochs that it repeats."""
        if not trainer.is_global_zero:
            return
        names = [f"{split}/{name}" for split in ("train", "val") for name in module.task.metric_names]
        self._columns = ["epoch", "step", *names, "lr", "seconds"]
        kept = []
        if self.folder.history_path.exists():
            with self.folder.history_path.open(newline="") as file:
                kept = [row for row in csv.DictReader(file) if int(row["epoch"]) <= trainer.current_epoch]
        with self.folder.history_path.open("w", newline="") as file:
            writer = csv.DictWriter(file, self._columns)
            writer.writeheader()
            writer.writerows(kept)
        self._first_step, self._is_new = trainer.global_step + 1, not kept

    def _open_tensorboard(self, task: Task) -> SummaryWriter:
        """Open the event file and write what does not change; after the first epoch, because the import takes time."""
        from torch.utils.tensorboard import SummaryWriter

        writer = self._writer = SummaryWriter(str(self.folder.path), purge_step=self._first_step)
        if self._is_new:
            self.add_text("config", OmegaConf.to_yaml(self.config.to_plain()))
            if task.spec.kind == "images" and task.augment.has_steps:
                self.add_image("augmentation", augmentation_sheet(task, self.samples, self.config.seed))
        return writer

    def add_text(self, name: str, text: str) -> None:
        """Write a text to TensorBoard."""
        if self._writer is not None:
            self._writer.add_text(name, f"```\n{text}\n```")

    def add_image(self, name: str, image: Image.Image) -> None:
        """Write an image to TensorBoard."""
        if self._writer is not None:
            self._writer.add_image(name, np.asarray(image), dataformats="HWC")

    def on_epoch_start(self, trainer: Trainer, module: TrainingModule) -> None:
        self._epoch_started = self._training_ended = time.perf_counter()
        self._num_samples = 0

    def on_step_start(self, trainer: Trainer, module: TrainingModule) -> None:
        """Keep the learning rate, before the scheduler changes it. Of several parameter groups, the last one counts."""
        self._lr = trainer.optimizers[0].param_groups[-1]["lr"]

    def on_step_end(self, trainer: Trainer, module: TrainingModule, loss: Any, num_samples: int) -> None:
        """Keep the loss of some steps, without waiting for the device."""
        if math.isnan(self.seconds_to_first_step):
            self.seconds_to_first_step = time.perf_counter() - self.started
        if trainer.global_step % self._every_n_steps == 0:
            self._step_losses.append((trainer.global_step, loss))
        self._num_samples += num_samples * trainer.world_size
        if trainer.is_last_batch and trainer.strategy.root_device.type == "cuda":
            torch.cuda.synchronize()
        self._training_ended = time.perf_counter()

    def on_epoch_end(self, trainer: Trainer, module: TrainingModule) -> None:
        """Write the row of the epoch."""
        self._speeds.append((self._num_samples, self._training_ended - self._epoch_started))
        if not trainer.is_global_zero:
            return
        numbers = {"epoch": trainer.current_epoch + 1, "step": trainer.global_step}
        metrics = {name: module.metrics[name] for name in self._columns if name in module.metrics}
        seconds = round(time.perf_counter() - self._epoch_started, 3)
        self.row = numbers | metrics | {"lr": self._lr, "seconds": seconds}
        with self.folder.history_path.open("a", newline="") as file:
            csv.DictWriter(file, self._columns).writerow(self.row)
        writer = self._writer or self._open_tensorboard(module.task)
        for name, value in (metrics | {"lr": self._lr}).items():
            writer.add_scalar(name, value, trainer.global_step)
            writer.add_scalar(f"by_epoch/{name}", value, trainer.current_epoch + 1)
        for step, loss in self._step_losses:
            writer.add_scalar("train/loss_of_step", float(loss), step)
        self._step_losses.clear()

    def finish(self, metrics: dict[str, Any], task: Task) -> None:
        """Write the final metrics together with the config, and close the files.

        Args:
            metrics: the content of metrics.json.
            task: the trained task.
        """
        from torch.utils.tensorboard.summary import hparams

        writer = self._writer or self._open_tensorboard(task)
        numbers = {name: value for name, value in metrics.items() if isinstance(value, int | float)}
        tested = {name: value for name, value in numbers.items() if name.startswith("test/")}
        for name, value in tested.items():
            writer.add_scalar(name, value, self.row.get("step", 0))
            writer.add_scalar(f"by_epoch/{name}", value, self.row.get("epoch", 0))
        shown = {name: value for name, value in numbers.items() if "/" in name and math.isfinite(value)}
        file_writer = writer.file_writer
        assert file_writer is not None
        for summary in hparams(_flat(self.config.to_plain()), shown):
            file_writer.add_summary(summary)
        writer.close()
        self._writer = None


def _flat(node: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the config as hyperparameters for TensorBoard: dotted keys, and values of types that it can show."""
    found: dict[str, Any] = {}
    for key, value in node.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{prefix}{key}.")
        elif value is not None and key not in ("_target_", "dir", "run_dir", "output_dir"):
            found[prefix + key] = value if isinstance(value, bool | int | float | str) else str(value)
    return found
