"""A launcher that trains jobs together which differ only in their seed and in the numbers of their optimizer."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from firstlight.config import RunConfig
from firstlight.runs.sweeps import Ending, Job, State
from firstlight.training.stacked import check_config, common_part
from firstlight.training.sweeps.launch import Launcher

_STATES: dict[str, State] = {"completed": "completed", "diverged": "diverged", "failed": "failed"}
_MAX_JOBS = 10_000  # that wait for others of their group


class Stacking:
    """Starts one job of another launcher for each group of jobs that can be trained together.

    All jobs of a grid are started before the first `wait`, which forms the groups. A job that no other is like is
    trained as usual.

    Args:
        launcher: runs the groups.
    """

    def __init__(self, launcher: Launcher) -> None:
        self.slots = _MAX_JOBS
        self._launcher = launcher
        self._new: list[Job] = []
        self._waiting: list[Job] = []  # the first job of each group, which names the others
        self._running: dict[int, Job] = {}
        self._stopped: list[Ending] = []

    def start(self, job: Job) -> None:
        """Let a job wait for the others of its group."""
        self._new.append(job)

    def wait(self, timeout: float | None = None) -> list[Ending]:
        """Start the groups that have a slot, and return endings; see `Launcher.wait`."""
        self._waiting += _groups(self._new)
        self._new = []
        while self._waiting and len(self._running) < self._launcher.slots:
            job = self._waiting.pop(0)
            self._running[job.number] = job
            self._launcher.start(job)
        stopped, self._stopped = self._stopped, []
        found = self._launcher.wait(0 if stopped else timeout) if self._running else []
        return stopped + [each for ending in found for each in _endings(self._running.pop(ending.number), ending)]

    def stop(self, number: int) -> None:
        """Stop the group of a job; all its jobs are reported as interrupted."""
        self._waiting += _groups(self._new)
        self._new = []
        for job in list(self._waiting):
            if number in _numbers(job):
                self._waiting.remove(job)
                self._stopped += [Ending(each, "interrupted", "interrupted") for each in _numbers(job)]
        for job in self._running.values():
            if number == job.number:
                self._launcher.stop(number)

    def close(self) -> None:
        """End all groups that still run, at once."""
        self._launcher.close()


def unstackable(configs: Mapping[int, dict[str, Any]]) -> dict[int, str]:
    """Return the mistakes of jobs that would be trained together, and have what only a single run can do.

    Args:
        configs: the composed configs by the places of the jobs; all of them can be trained alone.
    """
    groups: dict[str, list[int]] = defaultdict(list)
    for place, config in configs.items():
        groups[common_part(config)].append(place)
    mistakes: dict[int, str] = {}
    for places in groups.values():
        try:
            if len(places) > 1:
                check_config(RunConfig.parse(configs[places[0]]))
        except ValueError as error:
            mistakes |= dict.fromkeys(places, str(error))
    return mistakes


def _groups(jobs: list[Job]) -> list[Job]:
    """Return the first job of each group, with the others as `stacked`."""
    groups: dict[str, list[Job]] = defaultdict(list)
    for job in jobs:
        groups[common_part(job.config)].append(job)
    for first, *others in groups.values():
        for job in others:
            with job.log_path.open("a", encoding="utf-8") as file:
                file.write(f"trained together with job {first.number}: {first.log_path.name} has what both print\n")
    return [replace(first, stacked=tuple(others)) for first, *others in groups.values()]


def _numbers(job: Job) -> list[int]:
    return [job.number, *(each.number for each in job.stacked)]


def _endings(job: Job, ending: Ending) -> list[Ending]:
    """Return how each job of a group has ended."""
    if not job.stacked:
        return [ending]
    found: dict[str, Any] = ending.metrics.get("jobs", {})
    if not found:  # the process has failed, so all have
        return [replace(ending, number=number) for number in _numbers(job)]
    return [_ending(number, found[str(number)], ending) for number in _numbers(job)]


def _ending(number: int, metrics: dict[str, Any], of_group: Ending) -> Ending:
    state = _STATES.get(str(metrics.get("status")), of_group.state)
    causes = {"diverged": "the training has diverged", "failed": str(metrics.get("error"))}
    return Ending(number, state, causes.get(state, ""), {} if state == "failed" else metrics, of_group.seconds)
