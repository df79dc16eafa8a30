"""The trials of a sweep: one study of Optuna, in which they wait until a sweep trains them."""

import json
import math
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from firstlight.runs.sweeps import Ending
from firstlight.training.studies.pruning import ReportedTrial, build_pruner
from firstlight.training.studies.sampling import build_sampler
from firstlight.training.studies.storage import claiming, open_storage
from firstlight.training.sweeps.settings import SweepSettings
from firstlight.training.sweeps.space import Space

_PLACE, _OWNER, _SPACE, _READY = "place", "sweep", "space", "ready"  # attributes of trials and of the study
_SECONDS_FOR_ANOTHER = 60.0  # that another process gets to prepare the study
_DIRECTIONS: dict[str, Any] = {"min": "minimize", "max": "maximize"}


@dataclass(frozen=True)
class Proposal:
    """The words of the next job.

    Attributes:
        number: the number of the trial and of the job.
        words: the words.
        is_known: whether the trial was begun before, by a sweep that was stopped.
    """

    number: int
    words: tuple[str, ...]
    is_known: bool = False


@dataclass(frozen=True)
class Place:
    """Where the study of a sweep is.

    Attributes:
        storage: see `studies.storage.open_storage`.
        study: the name of the study.
        owner: what names the sweep among all that work on the study.
    """

    storage: str
    study: str
    owner: str


class Search:
    """Proposes the words of jobs, and learns how they ended. Several sweeps may work on one study.

    All trials wait in the study from the start: those of a grid with their values, others without. So their number is
    that of the settings, whichever sweep trains them, and no trial is trained twice.

    Args:
        place: where the study is. It is created there, or continued.
        space: the words.
        settings: the settings of the sweep.
        directions: "min" or "max" by the name of each metric; the name "" stands for `monitor`.
        max_epochs: the epochs of a run that is not pruned; None if unknown.

    Raises:
        ValueError: the study is that of other words, or its storage cannot be opened.
    """

    def __init__(
        self,
        place: Place,
        space: Space,
        settings: SweepSettings,
        directions: dict[str, str],
        max_epochs: int | None = None,
    ) -> None:
        self.place = place
        self.space = space
        self.settings = settings
        self.metrics = list(directions)
        self.max_epochs = max_epochs
        self._storage = open_storage(place.storage)
        self._study = self._open(list(directions.values()))
        self._study_id = self._storage.get_study_id_from_name(place.study)
        self._stale = self._stale_trials()
        if settings.add_trials:
            self._add(settings.add_trials)

    def _open(self, modes: Sequence[str]) -> optuna.Study:
        sampler = build_sampler(self.settings.method, self.settings.seed, self.settings.num_sampled)
        pruner = build_pruner(self.settings.pruner, self.max_epochs)
        given: dict[str, Any] = {"study_name": self.place.study, "storage": self._storage, "sampler": sampler}
        try:
            study = optuna.create_study(**given, pruner=pruner, directions=[_DIRECTIONS[mode] for mode in modes])
        except optuna.exceptions.DuplicatedStudyError:
            return self._join(optuna.load_study(**given, pruner=pruner))
        study.set_user_attr(_OWNER, self.place.owner)
        study.set_user_attr(_SPACE, self._fingerprint)
        self._fill(study)
        return study

    def _join(self, study: optuna.Study) -> optuna.Study:
        """Continue a study that exists, of this sweep or of another one with the same words."""
        until = time.monotonic() + _SECONDS_FOR_ANOTHER
        is_own = study.user_attrs.get(_OWNER) == self.place.owner
        while not study.user_attrs.get(_READY) and not is_own:
            if time.monotonic() > until:
                raise ValueError(f"sweep.study={self.place.study}: must be complete. To fix: resume its sweep.")
            time.sleep(0.1)
        if study.user_attrs.get(_SPACE, self._fingerprint) != self._fingerprint:
            raise ValueError(
                f"sweep.study={self.place.study}: must be a study of the same words, and this one has others."
                " To fix: choose another name."
            )
        if not study.user_attrs.get(_READY):  # the sweep was killed at its start
            self._fill(study)
        return study

    @property
    def _fingerprint(self) -> str:
        return f"{self.settings.method} {json.dumps(self.settings.metrics)} {self.space}"

    def _fill(self, study: optuna.Study) -> None:
        """Let the trials wait that are not there yet."""
        known = {trial.user_attrs.get(_PLACE) for trial in study.get_trials(deepcopy=False)}
        for place, values in enumerate(self._planned()):
            if place not in known:
                study.enqueue_trial(values, user_attrs={_PLACE: place})
        study.set_user_attr(_READY, True)

    def _planned(self) -> Iterable[dict[str, str]]:
        return self.space.grid() if self.settings.method == "grid" else ({} for _ in range(self.settings.num_sampled))

    def _add(self, number: int) -> None:
        if self.settings.method == "grid":
            raise ValueError(f"sweep.add_trials={number}: must be 0 with a grid, all of whose combinations are there.")
        for _ in range(number):
            self._study.enqueue_trial({}, user_attrs={_PLACE: -1})

    def _stale_trials(self) -> list[FrozenTrial]:
        """Return the trials that this sweep had begun when it was stopped."""
        running = self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        return [trial for trial in running if trial.user_attrs.get(_OWNER) == self.place.owner]

    @property
    def num_trials(self) -> int:
        """The number of trials of the study."""
        return len(self._study.get_trials(deepcopy=False))

    def next(self) -> Proposal | None:
        """Return the words of the next job: first those of jobs that were begun; None if no trial waits."""
        if self._stale:
            return self._proposal(self._stale.pop(0)._trial_id, is_known=True)
        with claiming(self.place.storage):
            trial_id = next(self._claimed(), None)
        return None if trial_id is None else self._proposal(trial_id)

    def _claimed(self) -> Iterator[int]:
        """Yield the trials that wait, each claimed so that no other process gets it."""
        for trial in self._study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
            try:
                if self._storage.set_trial_state_values(trial._trial_id, state=TrialState.RUNNING):
                    self._storage.set_trial_user_attr(trial._trial_id, _OWNER, self.place.owner)
                    yield trial._trial_id
            except optuna.exceptions.UpdateFinishedTrialError:
                continue

    def _proposal(self, trial_id: int, *, is_known: bool = False) -> Proposal:
        trial = Trial(self._study, trial_id)
        return Proposal(trial.number, self.space.words(trial), is_known)

    def record(self, ending: Ending) -> None:
        """Record how a job ended. A job that was interrupted stays begun."""
        if ending.state == "interrupted":
            return
        values = [_number(ending.metrics.get(name or ending.metrics.get("monitor", ""))) for name in self.metrics]
        state = TrialState.FAIL
        if ending.state == "completed" and all(map(math.isfinite, values)):
            state = TrialState.COMPLETE
        elif ending.state in ("pruned", "diverged") and len(values) == 1:  # of no use, and samplers must know it
            state = TrialState.PRUNED
        is_complete = state == TrialState.COMPLETE
        self._study.tell(ending.number, values if is_complete else None, state, skip_if_finished=True)

    def environment(self, number: int) -> dict[str, str]:
        """Return the environment variables with which the process of a job reports its metric."""
        if self.settings.pruner == "none":
            return {}
        place = self.place
        return ReportedTrial(
            place.storage, place.study, number, self.metrics[0], self.settings.pruner, self.max_epochs
        ).environment()


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else math.nan
