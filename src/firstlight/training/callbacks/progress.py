"""What the screen shows of a run: a bar within the epoch where someone looks, and a line for each epoch."""

import sys
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from tqdm import tqdm

from firstlight.log import logger
from firstlight.training.callbacks.recorder import Recorder

# The first four of these that a task has.
_SHOWN = ("train/loss", "val/loss", "val/distance", "val/accuracy", "val/bits_per_character", "val/mse", "val/r2")


class Progress(Checkpoint):
    """Draws nothing that a file would not want: the bar needs a terminal, the lines do not.

    Comes after the recorder, whose rows it shows (see there for why it counts as a checkpoint callback).
    """

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self._bar: tqdm[Any] | None = None

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """A new bar."""
        if trainer.is_global_zero and sys.stdout.isatty():
            total = int(trainer.num_training_batches)
            self._bar = tqdm(
                total=total,
                desc=f"epoch {trainer.current_epoch + 1}",
                unit="batch",
                leave=False,
                dynamic_ncols=True,
                file=sys.stdout,
            )

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """One further."""
        if self._bar is not None:
            self._bar.update()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The bar goes, a line stays."""
        self._close()
        row = self.recorder.row
        if not row:
            return
        width = len(str(trainer.max_epochs))
        of = f"/{trainer.max_epochs}" if trainer.max_epochs and trainer.max_epochs > 0 else ""
        shown = [name for name in _SHOWN if name in row][:4]
        values = "  ".join(f"{name} {row[name]:.4f}" for name in shown)
        logger.info(
            "epoch %*d%s  %s  lr %.1e  %.1f s", width, trainer.current_epoch + 1, of, values, row["lr"], row["seconds"]
        )

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """The screen is left clean."""
        self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
