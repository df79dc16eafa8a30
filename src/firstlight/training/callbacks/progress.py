"""The progress of a run: a line for each epoch and, in a notebook or on a terminal, a bar within each epoch."""

import sys
from typing import Any

from lightning.pytorch import Trainer

from firstlight.log import logger, progress_bar
from firstlight.training.callbacks.recorder import Recorder
from firstlight.training.callbacks.run_callbacks import RunCallback
from firstlight.training.module import TrainingModule


class Progress(RunCallback):
    """Prints a line for each epoch. In a notebook or on a terminal, it also shows a progress bar within each epoch.

    `trainer.enable_progress_bar=false`, or a progress bar of Lightning among the callbacks, replaces the bar.

    Args:
        recorder: has the metrics of the epoch; it must be called before this callback.
    """

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self._bar: Any = None

    def on_epoch_start(self, trainer: Trainer, module: TrainingModule) -> None:
        is_wanted = self.recorder.config.trainer.get("enable_progress_bar") is not False
        has_other = trainer.progress_bar_callback is not None
        if trainer.is_global_zero and is_wanted and not has_other:
            name = f"epoch {trainer.current_epoch + 1}"
            self._bar = progress_bar(int(trainer.num_training_batches), name, "batch", sys.stdout)

    def on_step_end(self, trainer: Trainer, module: TrainingModule, loss: Any, num_samples: int) -> None:
        if self._bar is not None:
            self._bar.update()

    def on_epoch_end(self, trainer: Trainer, module: TrainingModule) -> None:
        self._close()
        row = self.recorder.row
        if not row:
            return
        width = len(str(trainer.max_epochs))
        of = f"/{trainer.max_epochs}" if trainer.max_epochs and trainer.max_epochs > 0 else ""
        task = module.task
        names = (*task.headline, *(metric.name for metric in task.added.metrics))
        headline = ("train/loss", "val/loss", *(f"val/{name}" for name in names))
        shown = [name for name in headline if name in row]
        values = "  ".join(f"{name} {row[name]:.4f}" for name in shown)
        logger.info(
            "epoch %*d%s  %s  lr %.1e  %.1f s", width, trainer.current_epoch + 1, of, values, row["lr"], row["seconds"]
        )

    def on_exception(self) -> None:
        self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
