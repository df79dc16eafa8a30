"""Ends a run of a sweep whose metric is worse than that of other runs."""

import math
from typing import Any

from lightning.pytorch import Trainer

from firstlight.training.callbacks.learner import Learner
from firstlight.training.callbacks.run_callbacks import RunCallback
from firstlight.training.studies.pruning import ReportedTrial


class Pruning(RunCallback):
    """Reports the metric of a trial after each validation, and ends the run if its further epochs are not worth it.

    Args:
        trial: the trial of the run.
        monitor: the metric that is reported if the trial names none.

    Attributes:
        has_pruned: whether the run was ended.
    """

    def __init__(self, trial: ReportedTrial, monitor: str) -> None:
        self.trial = trial
        self.metric = trial.metric or monitor
        self.has_pruned = False

    def state_dict(self) -> dict[str, Any]:
        """Return whether the run was ended."""
        return {"has_pruned": self.has_pruned}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.has_pruned = state.get("has_pruned", False)

    def on_epoch_end(self, trainer: Trainer, learner: Learner) -> None:
        value = learner.metrics.get(self.metric)
        is_last = trainer.max_epochs is not None and 0 < trainer.max_epochs <= trainer.current_epoch + 1
        if value is None or not math.isfinite(value) or is_last or trainer.should_stop:
            return
        stops = trainer.is_global_zero and self.trial.should_stop(trainer.current_epoch + 1, float(value))
        if trainer.strategy.broadcast(stops):
            self.has_pruned = trainer.should_stop = True
