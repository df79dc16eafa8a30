"""The progress of a run: a line for each epoch and, in a notebook or on a terminal, a bar within each epoch."""

import sys
from collections.abc import Sequence
from typing import Any

from lightning.pytorch import Trainer

from firstlight.log import logger, progress_bar
from firstlight.training.callbacks.learner import Learner
from firstlight.training.callbacks.recorder import Recorder
from firstlight.training.callbacks.run_callbacks import RunCallback


class Progress(RunCallback):
    """Prints a line for each epoch. In a notebook or on a terminal, it also shows a progress bar within each epoch.

    `trainer.enable_progress_bar=false`, or a progress bar of Lightning among the callbacks, replaces the bar.

    Args:
        recorder: has the metrics of the epoch; it must be called before this callback.
        headline: the metrics in the line of an epoch, such as "val/loss"; if there are none, its first four. The
            monitored one is always among them.
    """

    def __init__(self, recorder: Recorder, headline: Sequence[str] = ()) -> None:
        self.recorder = recorder
        self.headline = headline
        self._bar: Any = None

    def on_epoch_start(self, trainer: Trainer, learner: Learner) -> None:
        is_wanted = self.recorder.config.trainer.get("enable_progress_bar") is not False
        has_other = trainer.progress_bar_callback is not None
        if trainer.is_global_zero and is_wanted and not has_other:
            name = f"epoch {trainer.current_epoch + 1}"
            self._bar = progress_bar(int(trainer.num_training_batches), name, "batch", sys.stdout)

    def on_step_end(self, trainer: Trainer, learner: Learner, loss: Any, num_samples: int) -> None:
        if self._bar is not None:
            self._bar.update()

    def on_epoch_end(self, trainer: Trainer, learner: Learner) -> None:
        self._close()
        row = self.recorder.row
        if not row:
            return
        width = len(str(trainer.max_epochs))
        of = f"/{trainer.max_epochs}" if trainer.max_epochs and trainer.max_epochs > 0 else ""
        shown = [name for name in self.headline if name in row] or [*learner.metrics][:4]
        if self.recorder.config.monitor in row and self.recorder.config.monitor not in shown:
            shown.append(self.recorder.config.monitor)
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
