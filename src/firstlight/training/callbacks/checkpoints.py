"""last.ckpt after every epoch, best.ckpt after those that were better than all before."""

import math
import shutil
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO

from firstlight.config.monitor import is_better
from firstlight.files import atomic_write
from firstlight.log import logger
from firstlight.runs.run_folder import RunFolder
from firstlight.tasks.task import Task


class AtomicCheckpointIO(TorchCheckpointIO):
    """Checkpoints are whole or not there, whatever stops the process."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Write beside the target, flush, rename."""
        with atomic_write(Path(path)) as file:
            torch.save(checkpoint, file)


class Checkpoints(Checkpoint):
    """Keeps the last and the best epoch, and stops a run whose loss is no number, or that gets no better.

    `patience` is how many validated epochs it may stay without a better `monitor`; None for any.

    Attributes:
        best: the metrics of the best epoch so far, with its `epoch`, counted from 1.
        diverged: whether the loss became something else than a finite number, which ended the run.

    Raises:
        ValueError: `patience` is less than 1.
    """

    def __init__(self, folder: RunFolder, monitor: str, patience: int | None) -> None:
        if patience is not None and patience < 1:
            raise ValueError(f"patience={patience}: one epoch or more, or null for any number.")
        self.folder = folder
        self.monitor = monitor
        self.patience = patience
        self.best: dict[str, float] = {}
        self.epochs_since_best = 0
        self.diverged = False

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run has to know."""
        return {"best": self.best, "epochs_since_best": self.epochs_since_best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up what `state_dict` told."""
        self.best, self.epochs_since_best = state_dict["best"], state_dict["epochs_since_best"]

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """After the task's own hook, so that the metrics of the epoch are there."""
        assert isinstance(pl_module, Task)
        self.keep(trainer, pl_module, trainer.current_epoch + 1)
        self.diverged = not math.isfinite(pl_module.metrics["train/loss"])
        if self.diverged:
            logger.warning("stopped: train/loss is not a finite number any more; a smaller optimizer.lr may help")
            trainer.should_stop = True
        if self.patience is not None and self.epochs_since_best >= self.patience:
            trainer.should_stop = True

    def keep(self, trainer: Trainer, task: Task, epoch: int) -> None:
        """Write the last checkpoint, and the best where the monitored metric, if it was measured, says so."""
        value = task.metrics.get(self.monitor)
        improved = value is not None and (not self.best or is_better(self.monitor, value, self.best[self.monitor]))
        if improved:
            self.best = {"epoch": epoch} | task.metrics
            self.epochs_since_best = 0
        elif value is not None:
            self.epochs_since_best += 1
        last, best = self.folder.checkpoint_path("last"), self.folder.checkpoint_path("best")
        trainer.save_checkpoint(last, weights_only=False)
        if improved and trainer.is_global_zero:
            with atomic_write(best) as file, last.open("rb") as source:
                shutil.copyfileobj(source, file)
