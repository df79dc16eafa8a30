"""Checkpoints: last.ckpt after every epoch, best.ckpt after each epoch that is better than all before."""

import math
import shutil
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.plugins.io import TorchCheckpointIO

from firstlight.checks import check_range
from firstlight.config.monitor import is_better
from firstlight.files import atomic_write
from firstlight.log import logger
from firstlight.runs import RunFolder
from firstlight.training.callbacks.run_callbacks import RunCallback
from firstlight.training.module import TrainingModule


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes checkpoints atomically, so a process that is killed leaves no damaged one."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Write a checkpoint atomically."""
        with atomic_write(Path(path)) as file:
            torch.save(checkpoint, file)

    def remove_checkpoint(self, path: Any) -> None:
        """Delete a checkpoint. Its path may come from a checkpoint of another person, so it must not lead upwards."""
        if "://" not in str(path) and ".." not in Path(path).parts:
            super().remove_checkpoint(path)


class Checkpoints(RunCallback):
    """Saves the last and the best epoch. Stops a run that diverges or no longer improves.

    Args:
        folder: the run folder.
        monitor: the metric that decides which epoch is the best.
        patience: validated epochs without a better `monitor` after which the run stops; None for no limit.

    Attributes:
        best: the metrics of the best epoch so far and its number, `epoch`, counted from 1.
        epochs_since_best: validated epochs since the best one.
        diverged: whether the training loss has become NaN or Inf, which ends the run.

    Raises:
        ValueError: `patience` is below 1.
    """

    def __init__(self, folder: RunFolder, monitor: str, patience: int | None) -> None:
        if patience is not None:
            check_range("patience", patience, at_least=1)
        self.folder = folder
        self.monitor = monitor
        self.patience = patience
        self.best: dict[str, float] = {}
        self.epochs_since_best = 0
        self.diverged = False

    def state_dict(self) -> dict[str, Any]:
        """Return the best epoch so far, and how long ago it was."""
        return {"best": self.best, "epochs_since_best": self.epochs_since_best}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.best, self.epochs_since_best = state["best"], state["epochs_since_best"]

    def on_train_start(self, trainer: Trainer, module: TrainingModule) -> None:
        self._stop_without_improvement(trainer)  # a run that was stopped at its end is resumed for its test

    def on_epoch_end(self, trainer: Trainer, module: TrainingModule) -> None:
        self.save(trainer, module, trainer.current_epoch + 1)
        self.diverged = not math.isfinite(module.metrics["train/loss"])
        if self.diverged:
            logger.warning("stopped: train/loss is NaN or Inf. To fix: try a smaller optimizer.lr")
            trainer.should_stop = True
        self._stop_without_improvement(trainer)

    def _stop_without_improvement(self, trainer: Trainer) -> None:
        if self.patience is not None and self.epochs_since_best >= self.patience:
            trainer.should_stop = True

    def save(self, trainer: Trainer, module: TrainingModule, epoch: int) -> None:
        """Write the last checkpoint, and the best one if the monitored metric has improved.

        Args:
            trainer: the Trainer.
            module: the module with the metrics of the epoch. An epoch without validation may lack the monitored one.
            epoch: the epoch, counted from 1.
        """
        value = module.metrics.get(self.monitor)
        improved = value is not None and (not self.best or is_better(self.monitor, value, self.best[self.monitor]))
        if improved:
            self.best = {"epoch": epoch} | module.metrics
            self.epochs_since_best = 0
        elif value is not None:
            self.epochs_since_best += 1
        last, best = self.folder.checkpoint_path("last"), self.folder.checkpoint_path("best")
        trainer.save_checkpoint(last, weights_only=False)
        if improved and trainer.is_global_zero:
            with atomic_write(best) as file, last.open("rb") as source:
                shutil.copyfileobj(source, file)
