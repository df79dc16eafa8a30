"""The end of a run that a signal stops."""

import math
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.utilities.model_helpers import is_overridden

from firstlight.training.callbacks.checkpoints import Checkpoints
from firstlight.training.callbacks.learner import Learner
from firstlight.training.callbacks.run_callbacks import RunCallback, RunCallbacks
from firstlight.training.recovery.stop_signals import StopSignals


class StopOnSignal(RunCallback):
    """Saves a checkpoint at the end of the step in which a signal arrives, and ends the run.

    If a validation follows the step, the run ends after the validation: after the epoch, or after the next step. Of
    several processes one receives the signal first; all end at the same step.

    Args:
        signals: the signals of this process.
        checkpoints: saves the checkpoint within an epoch; it must be called before this callback.
    """

    def __init__(self, signals: StopSignals, checkpoints: Checkpoints) -> None:
        self.signals = signals
        self.checkpoints = checkpoints

    def on_train_start(self, trainer: Trainer, learner: Learner) -> None:
        self.signals.defer()

    def on_step_end(self, trainer: Trainer, learner: Learner, loss: Any, num_samples: int) -> None:
        number = self._received(trainer)
        if number and not _validation_follows(trainer) and _takes_step(trainer):
            if learner.resumes_within_epoch and _can_resume_within_epoch(trainer):
                self.checkpoints.save_within_epoch(trainer, learner)
            raise KeyboardInterrupt(number)

    def on_epoch_end(self, trainer: Trainer, learner: Learner) -> None:
        if number := self._received(trainer):
            raise KeyboardInterrupt(number)

    def _received(self, trainer: Trainer) -> int:
        """Return the number of the signal that a process has received; 0 if none has."""
        if trainer.world_size > 1:
            number = torch.tensor(self.signals.number, device=trainer.strategy.root_device)
            self.signals.number = int(trainer.strategy.reduce(number, reduce_op="max"))
        return self.signals.number


def _validation_follows(trainer: Trainer) -> bool:
    """Return whether Lightning validates after this step, within the epoch or at its end."""
    interval = trainer.val_check_batch
    if trainer.is_last_batch or trainer.should_stop:
        return True
    if interval is None or math.isinf(interval):
        return False
    loop = trainer.fit_loop
    batch = loop.total_batch_idx if trainer.check_val_every_n_epoch is None else loop.batch_idx
    return (batch + 1) % int(interval) == 0


def _takes_step(trainer: Trainer) -> bool:
    """Return whether the optimizer has used all gradients, which checkpoints do not hold."""
    return (trainer.fit_loop.batch_idx + 1) % trainer.accumulate_grad_batches == 0


def _can_resume_within_epoch(trainer: Any) -> bool:  # Lightning declares `callbacks` only in another class
    """Return whether a run that stops here continues exactly.

    Lightning does not call `on_train_epoch_start` when it continues within an epoch. A callback of the user that
    defines it may depend on it. Such a run repeats the epoch.
    """
    others = [callback for callback in trainer.callbacks if not isinstance(callback, RunCallbacks)]
    return not any(is_overridden("on_train_epoch_start", callback, Callback) for callback in others)
