"""The callbacks of a run, called in a fixed order and after the hooks of the module."""

from collections.abc import Mapping, Sequence
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from torch import Tensor

from firstlight.training.callbacks.learner import Learner


class RunCallback:
    """A callback of firstlight. A subclass overrides some methods; the others do nothing."""

    def on_train_start(self, trainer: Trainer, learner: Learner) -> None:
        """Called before the first epoch, and before the first epoch of a resumed run."""

    def on_epoch_start(self, trainer: Trainer, learner: Learner) -> None:
        """Called before the first step of an epoch, and before the first step after a stop within an epoch."""

    def on_step_start(self, trainer: Trainer, learner: Learner) -> None:
        """Called before each step."""

    def on_step_end(self, trainer: Trainer, learner: Learner, loss: Any, num_samples: int) -> None:
        """Called after each step.

        Args:
            trainer: the Trainer.
            learner: the state of the training. The hooks of the module have been called.
            loss: the loss of the step, a scalar tensor; None if a module of the user returns none.
            num_samples: samples of the batch on this rank.
        """

    def on_epoch_end(self, trainer: Trainer, learner: Learner) -> None:
        """Called after each epoch, when its metrics are complete."""

    def on_exception(self) -> None:
        """Called if the training raises an exception."""

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run needs."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""

    def on_save(self, checkpoint: dict[str, Any]) -> None:
        """Called with the content of a checkpoint before it is written. The module may add to it later."""


class RunCallbacks(Checkpoint):
    """Passes the hooks of Lightning on to run callbacks.

    Lightning calls most callbacks before the hooks of the module. It calls checkpoint callbacks last, when the metrics
    of the epoch are complete and the user's callbacks have their final state. So this class is a checkpoint callback.

    Args:
        callbacks: the run callbacks in the order of their calls, one of each class.
        learner: the state of the training, which the callbacks get.
    """

    def __init__(self, callbacks: Sequence[RunCallback], learner: Learner) -> None:
        self.callbacks = callbacks
        self.learner = learner

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        for callback in self.callbacks:
            callback.on_train_start(trainer, self.learner)
        if self.learner.unfinished_epoch is not None:  # Lightning does not start an epoch that it continues
            self.on_train_epoch_start(trainer, pl_module)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        for callback in self.callbacks:
            callback.on_epoch_start(trainer, self.learner)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        for callback in self.callbacks:
            callback.on_step_start(trainer, self.learner)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        loss = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
        for callback in self.callbacks:
            callback.on_step_end(trainer, self.learner, loss, num_samples(batch))

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        for callback in self.callbacks:
            callback.on_epoch_end(trainer, self.learner)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        for callback in self.callbacks:
            callback.on_exception()

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        for callback in self.callbacks:
            callback.on_save(checkpoint)

    def state_dict(self) -> dict[str, Any]:
        """Return the state of each callback, under the name of its class."""
        return {type(callback).__name__: callback.state_dict() for callback in self.callbacks}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the states of the callbacks."""
        for callback in self.callbacks:
            callback.load_state_dict(state_dict.get(type(callback).__name__, {}))


def num_samples(batch: Any) -> int:
    """Return the number of samples in a batch: the length of the first tensor in it, or 1 if there is none."""
    if isinstance(batch, Tensor):
        return len(batch) if batch.ndim else 1
    parts = batch.values() if isinstance(batch, Mapping) else batch if isinstance(batch, list | tuple) else ()
    return next((num_samples(part) for part in parts if isinstance(part, Tensor | Mapping | list | tuple)), 1)
