"""A limit on the steps of a run."""

from typing import Any

from lightning.pytorch import Trainer

from firstlight.checks import check_range
from firstlight.training.callbacks.learner import Learner
from firstlight.training.callbacks.run_callbacks import RunCallback


class StepLimit(RunCallback):
    """Stops a run after a number of optimizer steps, also within an epoch. The run then validates and saves normally.

    Args:
        max_steps: optimizer steps of the run.

    Raises:
        ValueError: `max_steps` is below 1.
    """

    def __init__(self, max_steps: int) -> None:
        check_range("trainer.max_steps", max_steps, at_least=1)
        self.max_steps = max_steps

    def on_train_start(self, trainer: Trainer, learner: Learner) -> None:
        self._stop_at_limit(trainer)  # a run that was stopped after its last step is resumed for its test

    def on_step_end(self, trainer: Trainer, learner: Learner, loss: Any, num_samples: int) -> None:
        self._stop_at_limit(trainer)

    def _stop_at_limit(self, trainer: Trainer) -> None:
        if trainer.global_step >= self.max_steps:
            trainer.should_stop = True
