"""Checkpoints: last.ckpt after every epoch, best.ckpt after each epoch that is better than all before."""

import re
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.plugins.io import TorchCheckpointIO

from firstlight.checks import check_range
from firstlight.files import atomic_write
from firstlight.runs import RunFolder
from firstlight.tasks.metrics.metric import is_better
from firstlight.training.callbacks.learner import Learner
from firstlight.training.callbacks.run_callbacks import RunCallback
from firstlight.training.recovery.loss_guard import check_weights


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes checkpoints atomically, so a process that is killed leaves no damaged one.

    Args:
        tests_content: whether the first checkpoint is read again, because a module of the user adds to it.
    """

    def __init__(self, *, tests_content: bool = False) -> None:
        super().__init__()
        self._tests_content = tests_content

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Write a checkpoint atomically, into a folder that need not exist.

        Raises:
            OSError: the file cannot be written. torch hides this error behind one of its own.
            ValueError: the checkpoint holds more than tensors and plain values.
        """
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(Path(path)) as file:
            target: Any = _Target(file)
            try:
                torch.save(checkpoint, target)
            except RuntimeError:
                if target.error is not None:
                    raise target.error from None
                raise
        if self._tests_content:
            self._tests_content = False
            _check_content(Path(path))

    def remove_checkpoint(self, path: Any) -> None:
        """Delete a checkpoint. Its path may come from a checkpoint of another person, so it must not lead upwards."""
        if "://" not in str(path) and ".." not in Path(path).parts:
            super().remove_checkpoint(path)


def _check_content(path: Path) -> None:
    """Check that a checkpoint can be loaded without running code."""
    try:
        torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        name = next(iter(re.findall(r"GLOBAL (\S+)", str(error))), "an object")
        raise ValueError(
            f"task: must add only tensors and plain values to checkpoints, and {name} is neither. To fix: let"
            " on_save_checkpoint and state_dict return numbers, texts or a state_dict."
        ) from error


class _Target:
    """A file for `torch.save` that keeps the error of a failed write."""

    def __init__(self, file: Any) -> None:
        self.file = file
        self.error: OSError | None = None

    def write(self, data: Any) -> int:
        try:
            return self.file.write(data)
        except OSError as error:
            self.error = error
            raise

    def flush(self) -> None:
        """Do nothing: `atomic_write` flushes the file."""


class Checkpoints(RunCallback):
    """Saves the last and the best epoch. Stops a run that no longer improves.

    last.ckpt is written first. A process that is killed before it has copied it to best.ckpt leaves a last.ckpt that
    names its own epoch as the best. A resumed run then copies it, see `SavedState`.

    Args:
        folder: the run folder.
        monitor: the metric that decides which epoch is the best.
        mode: "min" if lower values of `monitor` are better, "max" if higher ones are.
        patience: validated epochs without a better `monitor` after which the run stops; None for no limit.
        min_delta: by how much `monitor` must improve upon the last improvement, so that `patience` begins anew. The
            best checkpoint is that of the best value all the same.
        max_steps: optimizer steps after which another callback stops the run; None for no limit.

    Attributes:
        best: the metrics of the best epoch so far and its number, `epoch`, counted from 1.
        epochs_since_best: validated epochs since the last improvement by more than `min_delta`.
        has_stopped: whether a callback other than a limit, such as early stopping, has ended the run.

    Raises:
        ValueError: `patience` is below 1.
    """

    def __init__(
        self,
        folder: RunFolder,
        monitor: str,
        mode: str,
        patience: int | None,
        max_steps: int | None = None,
        min_delta: float = 0.0,
    ) -> None:
        if patience is not None:
            check_range("patience", patience, at_least=1)
        self.folder = folder
        self.monitor = monitor
        self.mode = mode
        self.patience = patience
        self.min_delta = min_delta
        self._improved_to: float | None = None
        self.max_steps = max_steps
        self.best: dict[str, float] = {}
        self.epochs_since_best = 0
        self.has_stopped = False

    def state_dict(self) -> dict[str, Any]:
        """Return the best epoch so far, how long ago it was, and whether the run has stopped."""
        names = ("best", "epochs_since_best", "has_stopped")
        return {name: getattr(self, name) for name in names} | {"improved_to": self._improved_to}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.best, self.epochs_since_best = state["best"], state["epochs_since_best"]
        self.has_stopped = state.get("has_stopped", False)
        self._improved_to = state.get("improved_to", self.best.get(self.monitor))

    def on_train_start(self, trainer: Trainer, learner: Learner) -> None:
        if self.has_stopped or self._is_out_of_patience:  # a run that was stopped at its end is resumed for its test
            trainer.should_stop = True

    def on_epoch_end(self, trainer: Trainer, learner: Learner) -> None:
        is_at_limit = self.max_steps is not None and trainer.global_step >= self.max_steps
        self.has_stopped = trainer.should_stop and not is_at_limit
        self.save(trainer, learner, trainer.current_epoch + 1)
        if self._is_out_of_patience:
            trainer.should_stop = True

    @property
    def _is_out_of_patience(self) -> bool:
        return self.patience is not None and self.epochs_since_best >= self.patience

    def save(self, trainer: Trainer, learner: Learner, epoch: int) -> None:
        """Write the last checkpoint, and the best one if the monitored metric has improved.

        Args:
            trainer: the Trainer.
            learner: has the metrics of the epoch. An epoch without validation may lack the monitored one.
            epoch: the epoch, counted from 1.

        Raises:
            Diverged: the weights are NaN or Inf.
        """
        check_weights(trainer.lightning_module, epoch, trainer.global_step)
        value = learner.metrics.get(self.monitor)
        improved = value is not None and (not self.best or is_better(self.mode, value, self.best[self.monitor]))
        if improved:
            self.best = {"epoch": epoch} | learner.metrics
        if value is not None:
            self._count(value)
        trainer.save_checkpoint(self.folder.checkpoint_path("last"), weights_only=False)
        if improved and trainer.is_global_zero:
            self.folder.copy_last_to_best()

    def _count(self, value: float) -> None:
        """Count the epochs without an improvement by more than `min_delta`."""
        step = self.min_delta if self.mode == "min" else -self.min_delta
        if self._improved_to is None or is_better(self.mode, value + step, self._improved_to):
            self._improved_to, self.epochs_since_best = value, 0
        else:
            self.epochs_since_best += 1

    def save_within_epoch(self, trainer: Trainer, learner: Learner) -> None:
        """Write the last checkpoint after a step within an epoch, with the state of that epoch.

        Raises:
            Diverged: a loss or the weights are NaN or Inf.
        """
        learner.loss_guard.read(trainer)
        check_weights(trainer.lightning_module, trainer.current_epoch + 1, trainer.global_step)
        learner.is_within_epoch = True
        trainer.save_checkpoint(self.folder.checkpoint_path("last"), weights_only=False)
