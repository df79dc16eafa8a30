"""Our callbacks, called in a fixed order, after Lightning's hooks of the module."""

from collections.abc import Sequence
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

from firstlight.training.module import TrainingModule


class RunCallback:
    """What happens beside the steps of a training. Every method does nothing unless a subclass overrides it."""

    def on_train_start(self, trainer: Trainer, module: TrainingModule) -> None:
        """Called before the first epoch, also of a resumed run."""

    def on_epoch_start(self, trainer: Trainer, module: TrainingModule) -> None:
        """Called before the first step of an epoch."""

    def on_step_start(self, trainer: Trainer, module: TrainingModule) -> None:
        """Called before each step."""

    def on_step_end(self, trainer: Trainer, module: TrainingModule, loss: Any, num_samples: int) -> None:
        """Called after each step.

        Args:
            trainer: the Trainer.
            module: the module, after its own hooks.
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
    """Calls ours in order.

    Lightning calls most callbacks before the hooks of the module, and checkpoint callbacks after them, when the metrics
    of the epoch are complete and the user's callbacks are done. So this one counts as a checkpoint callback.

    Args:
        callbacks: in the order of their calls, no two of one class.
    """

    def __init__(self, callbacks: Sequence[RunCallback]) -> None:
        self.callbacks = callbacks

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        for callback in self.callbacks:
            callback.on_train_start(trainer, _ours(pl_module))

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        for callback in self.callbacks:
            callback.on_epoch_start(trainer, _ours(pl_module))

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        for callback in self.callbacks:
            callback.on_step_start(trainer, _ours(pl_module))

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        for callback in self.callbacks:
            callback.on_step_end(trainer, _ours(pl_module), outputs["loss"], len(batch[1]))

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        for callback in self.callbacks:
            callback.on_epoch_end(trainer, _ours(pl_module))

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        for callback in self.callbacks:
            callback.on_exception()

    def state_dict(self) -> dict[str, Any]:
        """Return the states of the callbacks, by their class names."""
        return {type(callback).__name__: callback.state_dict() for callback in self.callbacks}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the states of the callbacks."""
        for callback in self.callbacks:
            callback.load_state_dict(state_dict.get(type(callback).__name__, {}))


def _ours(module: LightningModule) -> TrainingModule:
    assert isinstance(module, TrainingModule)
    return module
