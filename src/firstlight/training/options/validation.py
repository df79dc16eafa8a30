"""A validation at the end of every epoch that validates, whatever `trainer.val_check_interval` is."""

from typing import Any

from lightning.pytorch import Trainer

from firstlight.training.callbacks.learner import Learner
from firstlight.training.callbacks.run_callbacks import RunCallback


class ValidateLast(RunCallback):
    """Lets Lightning validate after the last batch of an epoch too.

    An interval such as 0.4 of an epoch ends before the last batch. The metrics of the epoch would then be those of
    earlier weights than its checkpoint holds.
    """

    def __init__(self) -> None:
        self._interval: float | None = None

    def on_step_end(self, trainer: Trainer, learner: Learner, loss: Any, num_samples: int) -> None:
        if trainer.is_last_batch:
            self._interval, trainer.val_check_batch = trainer.val_check_batch, 1

    def on_epoch_end(self, trainer: Trainer, learner: Learner) -> None:
        if self._interval is not None:
            self._interval, trainer.val_check_batch = None, self._interval
