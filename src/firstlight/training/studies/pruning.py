"""Which trials are pruned, and the trial of a job as its own process sees it."""

import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

from firstlight.training.studies.storage import open_storage, quiet_optuna

if TYPE_CHECKING:
    from optuna.pruners import BasePruner

VARIABLE = "FIRSTLIGHT_TRIAL"
"""The environment variable that names the trial of a job. It is set only if the job may be pruned."""


def build_pruner(name: str, max_epochs: int | None = None) -> "BasePruner":
    """Return a pruner.

    Args:
        name: "median", "hyperband" or "none".
        max_epochs: the epochs of a run that is not pruned; None if unknown.
    """
    from optuna import pruners

    with quiet_optuna():
        if name == "median":
            return pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=2)
        if name == "hyperband":
            return pruners.HyperbandPruner(min_resource=1, max_resource=max_epochs or "auto")
        return pruners.NopPruner()


@dataclass(frozen=True)
class ReportedTrial:
    """A trial whose values are reported while it runs.

    Attributes:
        storage: see `open_storage`.
        study: the name of the study.
        number: the number of the trial.
        metric: the metric that is reported.
        pruner: the name of the pruner.
        max_epochs: see `build_pruner`.
    """

    storage: str
    study: str
    number: int
    metric: str
    pruner: str
    max_epochs: int | None = None

    @classmethod
    def from_environment(cls) -> Self:
        """Return the trial of this process, which `VARIABLE` names."""
        return cls(**json.loads(os.environ[VARIABLE]))

    def environment(self) -> dict[str, str]:
        """Return the environment variable for the process of the trial."""
        return {VARIABLE: json.dumps(asdict(self))}

    def should_stop(self, epoch: int, value: float) -> bool:
        """Report a value of the metric, and return whether the trial is not worth its further epochs.

        Args:
            epoch: the epoch, counted from 1. Reported again, its value is replaced.
            value: the metric after this epoch.
        """
        study, trial_id = self._opened
        study._storage.set_trial_intermediate_value(trial_id, epoch, value)
        return bool(study.pruner.prune(study, study._storage.get_trial(trial_id)))

    @property
    def _opened(self) -> tuple[Any, int]:
        """The study and the number of the trial in its storage, opened anew: a connection must not cross a fork."""
        import optuna

        storage = open_storage(self.storage)
        pruner = build_pruner(self.pruner, self.max_epochs)
        study = optuna.load_study(study_name=self.study, storage=storage, pruner=pruner)
        return study, storage.get_trial_id_from_study_id_trial_number(study._study_id, self.number)
