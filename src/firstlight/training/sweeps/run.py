"""Run a sweep from its words, or continue one from its folder."""

import itertools
import secrets
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firstlight.config.compose import composed_by_hydra, to_plain
from firstlight.runs.command_line import command, relative_path
from firstlight.runs.sweeps import Job, SweepFolder, SweepScreen
from firstlight.training.studies.storage import without_password
from firstlight.training.sweeps.checking import NOT_CHECKED, Checked, check_jobs, listed
from firstlight.training.sweeps.in_process import InProcess
from firstlight.training.sweeps.launch import Launcher
from firstlight.training.sweeps.launchers import build_launcher
from firstlight.training.sweeps.loop import Loop
from firstlight.training.sweeps.settings import CHANGEABLE, SweepSettings
from firstlight.training.sweeps.space import Space, read_space
from firstlight.training.sweeps.space.read import is_setting
from firstlight.training.sweeps.stacking import Stacking, unstackable

Work = Callable[[Job], dict[str, Any]]
_MAX_JOBS = 10_000  # of a grid


class Mistakes(ValueError):  # noqa: N818  # as its message lists them
    """Jobs that cannot be trained; the message lists all of them."""


@dataclass(frozen=True)
class Result:
    """What a sweep leaves.

    Attributes:
        folder: its folder; None if the jobs were only checked.
    """

    folder: SweepFolder | None

    @property
    def is_successful(self) -> bool:
        """Whether all jobs have a result and none has diverged."""
        jobs = self.folder.jobs if self.folder else ()
        return all(record.state in ("completed", "pruned") for record in jobs)


def run_words(words: Sequence[str], path: str | Path | None = None, work: Work | None = None) -> Result:
    """Run the sweep of some words, or continue the one that `resume=` names.

    Args:
        words: the words of the command line, without options of Hydra.
        path: the folder; None for a new one under `output_dir`.
        work: trains a job in this process, in place of the launcher of the settings.

    Raises:
        Mistakes: jobs cannot be built.
        ValueError: a word is wrong, or the folder cannot be used.
        KeyboardInterrupt: a signal has stopped the sweep; `resume=` continues it.
    """
    resumed = list(filter(_is_resume, words))
    if resumed:
        return _resume(resumed[-1].partition("=")[2], list(itertools.filterfalse(_is_resume, words)), work)
    settings, first = _settings(words)
    space = read_space(
        list(itertools.filterfalse(is_setting, words)), settings.space, method=settings.method, seed=settings.seed
    )
    jobs = _jobs_to_check(space, settings)
    trains_here = work is not None or settings.launcher == "in_process"
    with ExitStack() as stack:
        launcher = None
        if settings.launcher == "local" and not trains_here and not settings.dry_run:
            launcher = build_launcher(settings, Path(), on_cpu=first.on_cpu)  # its process imports during the check
            stack.callback(launcher.close)
        checked = check_jobs(jobs, settings.metrics or ("",), in_process=trains_here)
        if settings.stacked:
            checked.mistakes.update(unstackable(checked.without_mistakes()))
        if checked.mistakes and (settings.on_mistake == "stop" or settings.dry_run or not checked.directions):
            raise Mistakes(_refusal(checked, jobs))
        if settings.dry_run:
            print(f"{len(jobs)} jobs can be trained; none is, because of sweep.dry_run=true.")
            return Result(None)
        folder = _create(path or first.path, words, settings, checked, first)
        return _run(folder, space, settings, work, checked, launcher)


def _is_resume(word: str) -> bool:
    return word.startswith("resume=")


@dataclass(frozen=True)
class _First:
    """What the first job says of the sweep.

    Attributes:
        path: the default folder of the sweep.
        on_cpu: whether the job computes on the CPU.
    """

    path: str
    on_cpu: bool


def _settings(words: Sequence[str]) -> tuple[SweepSettings, _First]:
    """Return the settings of a sweep, also those of a chosen experiment, and what its first job says."""
    own = list(filter(is_setting, words))
    for word in own:
        key, _, value = word.partition("=")
        if "," in value and not value.startswith(("[", "{", '"', "'")):
            raise ValueError(f"{word}: must be one value. To fix: several metrics are a list, {key}=[...].")
    others = list(itertools.filterfalse(is_setting, words))
    first = next(read_space(others, {}, method="random").probes(0, randoms=0))
    try:
        return _composed_settings(*first, *own)
    except Exception:  # the check lists the mistakes of all jobs
        return _composed_settings(*own)


def _composed_settings(*words: str) -> tuple[SweepSettings, _First]:
    with composed_by_hydra(*words) as composed:
        plain = to_plain(composed)
        on_cpu = plain["trainer"].get("accelerator") == "cpu"
        return SweepSettings.parse(plain["sweep"]), _First(str(composed.hydra.sweep.dir), on_cpu)


class _Given:
    """Chooses the values of one combination of a grid."""

    def __init__(self, values: dict[str, str]) -> None:
        self.values = values

    def suggest_categorical(self, name: str, choices: Sequence[str], /) -> str:
        return self.values[name]

    def suggest_int(self, name: str, low: int, high: int, /, *, step: int = 1, log: bool = False) -> int:
        raise AssertionError("a grid has no interval")

    def suggest_float(self, name: str, low: float, high: float, /, *, log: bool = False) -> float:
        raise AssertionError("a grid has no interval")


def _jobs_to_check(space: Space, settings: SweepSettings) -> list[tuple[str, ...]]:
    """Return the words of all jobs of a grid, or of those that together have each end and each choice."""
    if settings.method != "grid":
        return list(dict.fromkeys(space.probes(settings.seed)))
    if space.num_combinations() > _MAX_JOBS:
        raise ValueError(
            f"sweep.method=grid: must be for at most {_MAX_JOBS:,} jobs, and these words name"
            f" {space.num_combinations():,}. To fix: sweep.method=random sweep.trials=100"
        )
    return [space.words(_Given(values)) for values in space.grid()]


def _refusal(checked: Checked, jobs: Sequence[Sequence[str]]) -> str:
    number = len(checked.mistakes)
    advice = "\nTo train the others all the same: sweep.on_mistake=skip" if number < len(jobs) else ""
    return f"{number} of {len(jobs)} jobs cannot be trained, so none is.\n{listed(checked.mistakes, jobs)}{advice}"


def _create(
    path: str | Path, words: Sequence[str], settings: SweepSettings, checked: Checked, first: _First
) -> SweepFolder:
    config = next(config for place, config in checked.configs.items() if place not in checked.mistakes)
    if settings.pruner != "none" and config.get("kfold"):
        raise ValueError(f"sweep.pruner={settings.pruner}: must be none with kfold, whose folds have no common epochs.")
    saved = {
        "sweep": settings.to_plain() | {"storage": settings.storage and without_password(settings.storage)},
        "owner": secrets.token_hex(8),
        "directions": checked.directions,
        "max_epochs": config.get("trainer", {}).get("max_epochs"),
        "on_cpu": first.on_cpu,
    }
    return SweepFolder.create(
        path, list(map(_without_password, words)), saved, checked.directions if settings.metrics else None
    )


def _without_password(word: str) -> str:
    return without_password(word) if word.startswith("sweep.storage=") else word


def _resume(path: str, words: Sequence[str], work: Work | None) -> Result:
    changes = _changes(words)
    folder = SweepFolder.resume(path)
    try:
        settings = SweepSettings.parse(folder.settings["sweep"] | changes)
        own = list(itertools.filterfalse(is_setting, folder.words))
        space = read_space(own, settings.space, method=settings.method, seed=settings.seed)
    except BaseException:
        folder.close()
        raise
    return _run(folder, space, settings, work)


def _changes(words: Sequence[str]) -> dict[str, Any]:
    """Return the settings that words change in a sweep that is continued."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    changes = {}
    for override in OverridesParser.create().parse_overrides(list(words)):
        key = str(override.key_or_group).removeprefix("sweep.")
        if not override.key_or_group.startswith("sweep.") or key.partition(".")[0] not in CHANGEABLE:
            allowed = ", ".join(f"sweep.{each}" for each in CHANGEABLE)
            raise ValueError(
                f"{override.input_line}: must be left out, because resume= continues a sweep with its own words."
                f" Only these may be given: {allowed}."
            )
        changes[key] = override.value()
    return changes


def _run(
    folder: SweepFolder,
    space: Space,
    settings: SweepSettings,
    work: Work | None,
    checked: Checked = NOT_CHECKED,
    launcher: Launcher | None = None,
) -> Result:
    from firstlight.training.sweeps.search import Place, Search  # imports Optuna

    with folder:
        saved = folder.settings
        storage = settings.storage or str(folder.path / "study.log")
        place = Place(storage, settings.study or folder.path.name, saved["owner"])
        search = Search(place, space, settings, saved["directions"], saved["max_epochs"])
        launcher = launcher or build_launcher(settings, folder.path, work, on_cpu=saved["on_cpu"])
        keys = list(dict.fromkeys(dimension.key for dimension in space.dimensions()))
        screen = SweepScreen(folder, search.num_trials, jobs_print=isinstance(launcher, InProcess), keys=keys)
        if settings.stacked and work is None:
            launcher = Stacking(launcher)
        try:
            Loop(search, launcher, folder, screen, checked).run()
        except KeyboardInterrupt:
            screen.close()
            print(f"interrupted; continue with {command('train')} -m resume={relative_path(folder.path)}", flush=True)
            raise
        screen.close()
    return Result(folder)
