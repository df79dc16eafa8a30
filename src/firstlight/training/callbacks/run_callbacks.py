"""The callbacks of a run, called in a fixed order and after the hooks of the module."""

from collections.abc import Sequence
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

from firstlight.training.module import TrainingModule


class RunCallback:
    """A callback of firstlight. A subclass overrides some methods; the others do nothing."""

    def on_train_start(self, trainer: Trainer, module: TrainingModule) -> None:
        """Called before the first epoch, and before the first epoch of a resumed run."""

    def on_epoch_start(self, trainer: Trainer, module: TrainingModule) -> None:
        """Called before the first step of an epoch, and before the first step after a stop within an epoch."""

    def on_step_start(self, trainer: Trainer, module: TrainingModule) -> None:
        """Called before each step."""

    def on_step_end(self, trainer: Trainer, module: TrainingModule, loss: Any, num_samples: int) -> None:
        """Called after each step.

        Args:
            trainer: the Trainer.
            module: the module, whose hooks have been called.
            loss: the loss of the step, a scalar tensor.
            num_samples: samples of the batch on this rank.
        """

    def on_epoch_end(self, trainer: Trainer, module: TrainingModule) -> None:
        """Called after each epoch, when its metrics are complete."""

    def on_exception(self) -> None:
        """Called if the training raises an exception."""

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run needs."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""


class RunCallbacks(Checkpoint):
    """Passes the hooks of Lightning on to run callbacks.

    Lightning calls most callbacks before the hooks of the module. It calls checkpoint callbacks last, when the metrics
    of the epoch are complete and the user's callbacks have their final state. So this class is a checkpoint callback.

    Args:
        callbacks: the run callbacks in the order of their calls, one of each class.
    """

    def __init__(self, callbacks: Sequence[RunCallback]) -> None:
        self.callbacks = callbacks

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        module = _as_training_module(pl_module)
        for callback in self.callbacks:
            callback.on_train_start(trainer, module)
        if module.unfinished_epoch is not None:  # Lightning does not start an epoch that it continues
            self.on_train_epoch_start(trainer, module)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        for callback in self.callbacks:
            callback.on_epoch_start(trainer, _as_training_module(pl_module))

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        for callback in self.callbacks:
            callback.on_step_start(trainer, _as_training_module(pl_module))

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        for callback in self.callbacks:
            callback.on_step_end(trainer, _as_training_module(pl_module), outputs["loss"], len(batch[1]))

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        for callback in self.callbacks:
            callback.on_epoch_end(trainer, _as_training_module(pl_module))

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        for callback in self.callbacks:
            callback.on_exception()

    def state_dict(self) -> dict[str, Any]:
        """Return the state of each callback, under the name of its class."""
        return {type(callback).__name__: callback.state_dict() for callback in self.callbacks}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the states of the callbacks."""
        for callback in self.callbacks:
            callback.load_state_dict(state_dict.get(type(callback).__name__, {}))


def _as_training_module(module: LightningModule) -> TrainingModule:
    assert isinstance(module, TrainingModule)
    return module
