"""The runs of a comparison, and how good each of them is."""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firstlight.config.saved import read_saved
from firstlight.files import user_path
from firstlight.runs.report.differences import settings
from firstlight.runs.report.environment import About
from firstlight.runs.report.tables import by_split
from firstlight.runs.run_folder import RunFolder


@dataclass(frozen=True)
class ComparedRun:
    """What a comparison knows of a run.

    Attributes:
        folder: the run folder.
        metrics: the content of metrics.json; empty before the run has ended.
        settings: the config as texts, see `differences.settings`.
        about: the content of run.json.
    """

    folder: RunFolder
    metrics: Mapping[str, Any]
    settings: Mapping[str, str]
    about: About

    @classmethod
    def read(cls, path: Path) -> "ComparedRun":
        """Read a run folder, in which nothing is executed.

        Raises:
            ValueError: there is no run, or one of its files is damaged.
        """
        folder = RunFolder.open(path, key="runs")
        return cls(folder, folder.metrics(), settings(read_saved(folder.config_path)), About.read(folder.path))

    @property
    def results(self) -> dict[str, Any]:
        """The metrics of the splits as "<split>/<name>"."""
        return by_split(self.metrics)

    def direction(self, name: str) -> str | None:
        """Return "min" or "max" for a metric "<split>/<name>"; None if the run does not know it."""
        if name == self.metrics.get("monitor"):
            return self.metrics.get("monitor_mode")
        return self.about.directions.get(name.partition("/")[2])


def find_runs(paths: Sequence[str]) -> list[Path]:
    """Return the run folders that paths name. A folder that is no run stands for those in it and one level deeper.

    Raises:
        ValueError: there is no run at a path.
    """
    found: dict[Path, None] = {}
    for text in paths:
        path = user_path(text, "runs")
        inside = (
            [] if (path / "config.yaml").is_file() else [*path.glob("*/config.yaml"), *path.glob("*/*/config.yaml")]
        )
        folders = sorted((config.parent for config in inside), key=_by_number) or [RunFolder.open(text, "runs").path]
        found |= dict.fromkeys(Path(os.path.normpath(folder)) for folder in folders)
    return list(found)


def _by_number(path: Path) -> list[tuple[int, str]]:
    """Sort the jobs of a sweep by number, so that 10 comes after 9."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in path.parts]


def names(paths: Sequence[Path]) -> list[str]:
    """Return a short name for each folder: the part of its path that the others do not have."""
    if len(paths) == 1:
        return [paths[0].name]
    common = os.path.commonpath(paths)
    return [path.relative_to(common).as_posix() for path in paths]


def best_first(runs: Mapping[str, ComparedRun]) -> list[str]:
    """Return the names from the best run to the worst by their monitored metric.

    Runs that monitor different metrics cannot be ranked: they stay as they are. Runs without a value come last.
    """
    kinds = {(run.metrics.get("monitor"), run.metrics.get("monitor_mode")) for run in runs.values()}
    monitored = {(str(monitor), mode) for monitor, mode in kinds if monitor is not None}
    if len(monitored) != 1:
        return list(runs)
    ((monitor, mode),) = monitored
    sign = -1 if mode == "max" else 1
    values = {name: sign * _finite(run.metrics.get(monitor)) for name, run in runs.items()}
    return sorted(runs, key=lambda name: math.inf if math.isnan(values[name]) else values[name])


def best_of(values: Sequence[Any], direction: str | None) -> list[int]:
    """Return the places of the best values; none if the direction is unknown or there is no choice.

    Args:
        values: numbers, or None.
        direction: "min" or "max".
    """
    numbers = [_finite(value) for value in values]
    known = {value for value in numbers if not math.isnan(value)}
    if direction is None or len(known) < 2:
        return []
    best = min(known) if direction == "min" else max(known)
    return [place for place, value in enumerate(numbers) if value == best]


def _finite(value: Any) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and math.isfinite(value) else math.nan
