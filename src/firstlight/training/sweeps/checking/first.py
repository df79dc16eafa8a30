"""Compose the jobs of a sweep, let another process build them, and list all mistakes together."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from firstlight.config.errors import explain
from firstlight.training.sweeps.composing import compose_job
from firstlight.training.sweeps.launch.supervisor import import_paths

_SHOWN = 3  # numbers of jobs in a line


@dataclass(frozen=True)
class Checked:
    """What the check has found.

    Attributes:
        words: the words of the jobs.
        directions: "min" or "max" by the name of each metric; empty if no job can be built.
        configs: the composed configs by the places of the jobs.
        mistakes: the messages by the places of the jobs.
    """

    words: tuple[tuple[str, ...], ...] = ()
    directions: dict[str, str] = field(default_factory=dict)
    configs: dict[int, dict[str, Any]] = field(default_factory=dict)
    mistakes: dict[int, str] = field(default_factory=dict)

    def without_mistakes(self) -> dict[int, dict[str, Any]]:
        """Return the configs of the jobs that can be trained."""
        return {place: config for place, config in self.configs.items() if place not in self.mistakes}


NOT_CHECKED = Checked()
"""The jobs of a sweep that is continued: they were checked when it began."""


def check_jobs(jobs: Sequence[Sequence[str]], metrics: Sequence[str], *, in_process: bool = False) -> Checked:
    """Compose and build jobs: configs, data, networks, optimizers and metrics.

    Args:
        jobs: the words of each job.
        metrics: the metrics of the sweep; the name "" stands for `monitor` of each job.
        in_process: whether this process builds the jobs, because it trains them too.
    """
    configs, mistakes = {}, {}
    for place, words in enumerate(jobs):
        try:
            configs[place] = compose_job(words)
        except Exception as error:  # the others are checked too
            mistakes[place] = explain(error, words)
    build = _built_here if in_process else _built
    results = build([(config, jobs[place]) for place, config in configs.items()], metrics) if configs else []
    found = dict(zip(configs, results, strict=True))
    mistakes |= {place: result["mistake"] for place, result in found.items() if "mistake" in result}
    directions = [result["directions"] for result in found.values() if "directions" in result]
    return Checked(tuple(map(tuple, jobs)), directions[0] if directions else {}, configs, mistakes | _conflicts(found))


def _conflicts(found: Mapping[int, Mapping[str, Any]]) -> dict[int, str]:
    """Return the mistakes of jobs whose metrics have other directions than those of the first job."""
    own = {place: result["directions"] for place, result in found.items() if "directions" in result}
    first: dict[str, str] = next(iter(own.values()), {})
    return {
        place: f"sweep.metric: must have one direction, and {name} has {mode} here, {first[name]} elsewhere."
        for place, directions in own.items()
        for name, mode in directions.items()
        if mode != first[name] and name
    }


def _built_here(jobs: Iterable[tuple[dict[str, Any], Sequence[str]]], metrics: Sequence[str]) -> list[dict[str, Any]]:
    from firstlight.training.sweeps.checking.child import build_all  # imports torch

    return build_all(jobs, metrics)


def _built(jobs: Iterable[tuple[dict[str, Any], Sequence[str]]], metrics: Sequence[str]) -> list[dict[str, Any]]:
    request = [(config, list(words)) for config, words in jobs]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "jobs.json")
        path.write_text(json.dumps({"jobs": request, "metrics": list(metrics)}), encoding="utf-8")
        command = [sys.executable, "-P", "-m", "firstlight.training.sweeps.checking.child", str(path)]
        ended = subprocess.run(command, env=os.environ | import_paths())  # it finds the modules that the jobs find
        if ended.returncode:
            return [{"mistake": f"the check of the jobs has ended with exit code {ended.returncode}."}] * len(request)
        results: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
        return results


def listed(mistakes: Mapping[int, str], jobs: Sequence[Sequence[str]]) -> str:
    """Return all mistakes as text, each with its jobs.

    Args:
        mistakes: the messages by the places of the jobs.
        jobs: the words of each job.
    """
    places: dict[str, list[int]] = {}
    for place, message in mistakes.items():
        places.setdefault(message, []).append(place)
    lines = []
    for message, where in sorted(places.items(), key=lambda pair: (len(pair[1]), pair[1])):
        shown = ", ".join(map(str, where[:_SHOWN])) + ", ..." * (len(where) > _SHOWN)
        which = f"job {shown} ({' '.join(jobs[where[0]])})" if len(where) == 1 else f"{len(where)} jobs ({shown})"
        lines.append(f"{which}: {message}")
    return "\n".join(lines)
