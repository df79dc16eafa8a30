"""The records of a training: metrics.csv, what the loggers get, and times."""

import csv
import io
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from lightning.pytorch import Trainer
from PIL import Image
from torch import Tensor

from firstlight.config import RunConfig
from firstlight.config.saved import to_yaml
from firstlight.files import naming, write_text
from firstlight.runs import RunFolder
from firstlight.training.callbacks.learner import Learner
from firstlight.training.callbacks.run_callbacks import RunCallback
from firstlight.training.loggers.hyperparameters import hyperparameters
from firstlight.training.loggers.run_logger import RunLogger

_OWN_COLUMNS = ("epoch", "step", "lr", "seconds")


class Recorder(RunCallback):
    """Writes the metrics of each epoch to metrics.csv and to the loggers, on the first rank only.

    They are on the disk before the checkpoint of the epoch is written. So after a kill they hold at least the epochs of
    the checkpoint, and `begin` drops the rest.

    Args:
        folder: the run folder.
        config: the config of the run.
        started: `time.perf_counter()` at the start of the run.
        augmentation: draws the image that shows the augmentation; None if there is none.

    Attributes:
        loggers: the loggers of the run, which are set once the Trainer exists.
        row: the row of the latest epoch: its number, counted from 1, its last step, its metrics, the learning rate of
            that step, and its seconds.
        seconds_to_first_step: seconds from `started` to the end of the first step; NaN before.
        samples_per_second: the speed of the training without validation. The first epoch, which is slower, counts only
            if it is the only one.
    """

    def __init__(
        self,
        folder: RunFolder,
        config: RunConfig,
        started: float,
        augmentation: Callable[[], Image.Image] | None = None,
    ) -> None:
        self.folder = folder
        self.config = config
        self.started = started
        self.augmentation = augmentation
        self.row: dict[str, Any] = {}
        self.seconds_to_first_step = math.nan
        self._columns: list[str] = []
        self._has_fixed_columns = True
        self._every_n_steps = config.trainer.get("log_every_n_steps") or 50
        self._step_losses: list[tuple[int, Tensor | float]] = []
        self._speeds: list[tuple[int, float]] = []  # samples and seconds of the training in each epoch
        self._is_within_epoch = False
        self._seconds = 0.0  # of the epoch before it was stopped
        self.loggers: Sequence[RunLogger] = ()

    @property
    def samples_per_second(self) -> float:
        """Samples per second over all ranks; NaN before the end of the first epoch."""
        epochs = self._speeds[1:] or self._speeds
        return sum(samples for samples, _ in epochs) / sum(seconds for _, seconds in epochs) if epochs else math.nan

    @property
    def samples_seen(self) -> int:
        """Samples that this process has trained on, over all ranks, each as often as it was seen."""
        return sum(samples for samples, _ in self._speeds)

    def begin(
        self, names: Sequence[str] | None, parameters: int, epochs: int, steps: int, commit: str | None = None
    ) -> None:
        """Begin the records, or drop what a resumed run writes again. Called on the first rank, before the training.

        Args:
            names: the metrics of each row, such as "val/loss"; None if each epoch shows which ones there are.
            parameters: the number of parameters of the network.
            epochs: epochs that have ended.
            steps: optimizer steps that have been taken.
            commit: the commit of the code; None without git.
        """
        kept = [row for row in self.folder.history() if int(row["epoch"]) <= epochs]
        self._has_fixed_columns = names is not None
        found = kept[0] if kept and names is None else dict.fromkeys(names or ())
        self._columns = ["epoch", "step", *(name for name in found if name not in _OWN_COLUMNS), "lr", "seconds"]
        write_text(self.folder.history_path, self._csv(kept, header=True))
        is_wanted = self.loggers and self.config.trainer.get("enable_autolog_hparams", True)
        settings = hyperparameters(self.config, parameters, commit) if is_wanted else {}
        for each in self.loggers:
            each.begin(epochs, steps)
            if settings:
                each.log_hyperparams(settings)
        if kept:
            self.row = {"epoch": int(kept[-1]["epoch"]), "step": int(kept[-1]["step"])}

    def _csv(self, rows: list[dict[str, Any]], header: bool = False) -> str:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self._columns)
        if header:
            writer.writeheader()
        writer.writerows(rows)
        return text.getvalue()

    def state_dict(self) -> dict[str, Any]:
        """Return the records of an epoch that has not ended."""
        losses = [(step, float(loss)) for step, loss in self._step_losses]
        return {"step_losses": losses, "seconds": self._seconds_so_far if self._is_within_epoch else 0.0}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._step_losses = [(step, loss) for step, loss in state.get("step_losses", [])]
        self._seconds = state.get("seconds", 0.0)

    def add_text(self, name: str, text: str, step: int = 0) -> None:
        """Log a text; see `RunLogger.add_image`."""
        for each in self.loggers:
            each.add_text(name, text, step)

    def add_image(self, name: str, image: Image.Image, step: int = 0) -> None:
        """Log an image; see `RunLogger.add_image`."""
        for each in self.loggers:
            each.add_image(name, image, step)

    def add_graph(self, graph: bytes) -> None:
        """Log the operations of the network; see `RunLogger.add_graph`."""
        for each in self.loggers:
            each.add_graph(graph)

    def _add_settings(self) -> None:
        """Log what does not change, with the loggers that have not got it yet."""
        new = [each for each in self.loggers if each.is_new]
        sheet = self.augmentation() if new and self.augmentation is not None else None
        for each in new:
            if sheet is not None:
                each.add_image("augmentation", sheet)
            each.add_text("config", to_yaml(self.config.to_plain()))
            each.is_new = False

    def on_epoch_start(self, trainer: Trainer, learner: Learner) -> None:
        self._epoch_started = self._training_ended = time.perf_counter()
        self._num_samples = 0
        self._is_within_epoch = True

    def on_step_start(self, trainer: Trainer, learner: Learner) -> None:
        """Keep the learning rate, before the scheduler changes it. Of several parameter groups, the last one counts."""
        self._lr = trainer.optimizers[0].param_groups[-1]["lr"] if trainer.optimizers else math.nan

    def on_step_end(self, trainer: Trainer, learner: Learner, loss: Any, num_samples: int) -> None:
        """Keep the loss of every n-th step in memory until the epoch ends, without waiting for the device."""
        if math.isnan(self.seconds_to_first_step):
            self.seconds_to_first_step = time.perf_counter() - self.started
        if trainer.global_step % self._every_n_steps == 0 and loss is not None:
            self._step_losses.append((trainer.global_step, loss))
        self._num_samples += num_samples * trainer.world_size
        if trainer.is_last_batch and trainer.strategy.root_device.type == "cuda":
            torch.cuda.synchronize()
        self._training_ended = time.perf_counter()

    def on_epoch_end(self, trainer: Trainer, learner: Learner) -> None:
        """Write the row of the epoch."""
        self._speeds.append((self._num_samples, self._training_ended - self._epoch_started))
        # What a LightningModule of the user has logged itself. All ranks ask, because Lightning reduces it over them.
        logged = set(trainer.logged_metrics)
        if not trainer.is_global_zero:
            return
        self._add_columns(learner.metrics)
        numbers = {"epoch": trainer.current_epoch + 1, "step": trainer.global_step}
        metrics = {name: learner.metrics[name] for name in self._columns if name in learner.metrics}
        self.row = numbers | metrics | {"lr": self._lr, "seconds": round(self._seconds_so_far, 3)}
        with naming(self.folder.history_path), self.folder.history_path.open("a", newline="") as file:
            file.write(self._csv([self.row]))
        self._add_settings()
        unlogged = {name: value for name, value in metrics.items() if name not in logged}
        for each in self.loggers:
            for step, loss in self._step_losses:
                each.log_metrics({"train/loss_of_step": float(loss)}, step)
            each.log_epoch(unlogged | {"lr": self._lr}, trainer.global_step, trainer.current_epoch + 1)
            each.save()
        self._step_losses, self._seconds, self._is_within_epoch = [], 0.0, False

    def _add_columns(self, metrics: Mapping[str, float]) -> None:
        """Add columns for metrics that no epoch before had, and write the rows of those epochs again."""
        new = [] if self._has_fixed_columns else [name for name in metrics if name not in self._columns]
        if new:
            self._columns[-2:-2] = new
            write_text(self.folder.history_path, self._csv(self.folder.history(), header=True))

    @property
    def _seconds_so_far(self) -> float:
        return self._seconds + time.perf_counter() - self._epoch_started

    def finish(self, metrics: dict[str, Any]) -> None:
        """Write the final metrics together with the config.

        Args:
            metrics: the content of metrics.json.
        """
        self._add_settings()
        numbers = {name: value for name, value in metrics.items() if isinstance(value, int | float)}
        for each in self.loggers:
            if self.config.trainer.get("enable_autolog_hparams", True) and "flops_per_sample" in numbers:
                each.log_hyperparams({"flops_per_sample": numbers["flops_per_sample"]})
            each.log_results(numbers, self.row.get("step", 0), self.row.get("epoch", 0))
            each.save()
