"""How the values of a trial are sampled: by the seed, the number of the trial, and the trials before it."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from numpy.random import SeedSequence
from optuna.samplers import BaseSampler, CmaEsSampler, NSGAIISampler, RandomSampler, TPESampler

from firstlight.training.studies.storage import quiet_optuna

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.study import Study
    from optuna.trial import FrozenTrial, TrialState


class SeededSampler(BaseSampler):
    """Asks a new sampler for each trial, whose seed follows from the number of the trial.

    So a sweep that was stopped goes on as if it had not been: no state of random numbers is lost.

    Args:
        create: returns a sampler for a seed.
        seed: the seed of the sweep.
    """

    def __init__(self, create: Callable[[int], BaseSampler], seed: int) -> None:
        self._create = create
        self._seed = seed
        self._number = -1
        self._sampler: BaseSampler | None = None

    def _of(self, trial: "FrozenTrial") -> BaseSampler:
        if self._sampler is None or self._number != trial.number:
            self._number = trial.number
            with quiet_optuna():
                self._sampler = self._create(int(SeedSequence([self._seed, trial.number]).generate_state(1)[0]))
        return self._sampler

    def infer_relative_search_space(self, study: "Study", trial: "FrozenTrial") -> dict[str, "BaseDistribution"]:
        return self._of(trial).infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: "Study", trial: "FrozenTrial", search_space: dict[str, "BaseDistribution"]
    ) -> dict[str, Any]:
        return self._of(trial).sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: "Study", trial: "FrozenTrial", param_name: str, param_distribution: "BaseDistribution"
    ) -> Any:
        return self._of(trial).sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: "Study", trial: "FrozenTrial") -> None:
        self._of(trial).before_trial(study, trial)

    def after_trial(
        self, study: "Study", trial: "FrozenTrial", state: "TrialState", values: Sequence[float] | None
    ) -> None:
        self._of(trial).after_trial(study, trial, state, values)


def build_sampler(method: str, seed: int, trials: int) -> SeededSampler:
    """Return the sampler of a method.

    Args:
        method: "grid" (whose values are given), "random", "tpe", "cmaes" or "nsga2".
        seed: the seed of the sweep.
        trials: the number of trials; a quarter of them, and at most ten, are random before TPE follows them.
    """
    first = max(1, min(10, trials // 4))
    creators: dict[str, Callable[[int], BaseSampler]] = {
        "random": RandomSampler,
        "grid": RandomSampler,
        "tpe": lambda seed: TPESampler(seed=seed, n_startup_trials=first, multivariate=True, group=True),
        "cmaes": lambda seed: CmaEsSampler(seed=seed, warn_independent_sampling=False),
        "nsga2": partial(_nsga2, trials),
    }
    return SeededSampler(creators[method], seed)


def _nsga2(trials: int, seed: int) -> BaseSampler:
    return NSGAIISampler(seed=seed, population_size=max(4, min(50, trials // 5)))  # five generations, at least
