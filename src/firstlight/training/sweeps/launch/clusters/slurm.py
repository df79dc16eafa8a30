"""The launcher `submitit`: each job of a sweep is a job of a SLURM cluster."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from firstlight.runs.sweeps.job import Ending, Job
from firstlight.training.sweeps.launch.clusters.alone import run_alone
from firstlight.training.sweeps.launch.launcher import NO_LIMITS, Limits, Work
from firstlight.training.sweeps.launch.work import train_job

_JOBS = 8  # that run or wait in the queue at a time
_TICK = 0.2  # seconds between two looks at the jobs; submitit asks SLURM less often


class Submitit:
    """Runs jobs through submitit. All machines must see the folder of the sweep.

    Args:
        folder: takes submitit's own files.
        jobs: how many jobs are in the queue at a time; None for 8.
        limits: what a job may use.
        options: parameters of `submitit.AutoExecutor`, such as `slurm_partition`, `timeout_min`, `gpus_per_node` or
            `cpus_per_task`. `cluster` is "slurm", or "local" for processes of this machine; without it submitit
            uses SLURM where it is installed.
        work: what a job computes.

    Raises:
        ValueError: submitit is not installed, or refuses an option.
    """

    def __init__(
        self,
        folder: Path,
        jobs: int | None = None,
        limits: Limits = NO_LIMITS,
        options: Mapping[str, Any] | None = None,
        work: Work = train_job,
    ) -> None:
        try:
            import submitit
        except ModuleNotFoundError:
            fix = 'pip install "firstlight[slurm]"'
            raise ValueError(f"sweep.launcher=submitit: must have the package submitit. To fix: {fix}") from None
        parameters = dict(options or {})
        try:
            self._executor = submitit.AutoExecutor(folder, cluster=parameters.pop("cluster", None))
            self._executor.update_parameters(**parameters)
        except (NameError, RuntimeError, TypeError, ValueError) as error:
            raise ValueError(f"sweep.options={dict(options or {})}: must suit submitit ({error})") from error
        self.slots = jobs or _JOBS
        self._limits, self._work = limits, work
        self._running: dict[int, tuple[submitit.Job[Ending], float]] = {}
        self._stopped: set[int] = set()

    def start(self, job: Job) -> None:
        self._running[job.number] = (self._executor.submit(run_alone, job, self._work, self._limits), time.monotonic())

    def wait(self, timeout: float | None = None) -> list[Ending]:
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            ended = [number for number, (handle, _) in self._running.items() if handle.done()]
            if ended or (deadline is not None and time.monotonic() >= deadline):
                return [self._ending(number) for number in ended]
            time.sleep(_TICK)

    def stop(self, number: int) -> None:
        if number in self._running:
            self._stopped.add(number)
            self._running[number][0].cancel(check=False)

    def close(self) -> None:
        for handle, _ in self._running.values():
            handle.cancel(check=False)
        self._running.clear()

    def _ending(self, number: int) -> Ending:
        handle, started = self._running.pop(number)
        try:
            return handle.result()
        except Exception as error:  # it was cancelled before it began, or its machine is gone
            state = handle.state.lower()
            seconds = time.monotonic() - started
            if number in self._stopped:
                return Ending(number, "interrupted", "interrupted", {}, seconds)
            if state == "timeout":
                return Ending(number, "timeout", "timeout: longer than the cluster allows", {}, seconds)
            if state == "out_of_memory":
                return Ending(number, state, "out of memory: the cluster has killed the job", {}, seconds)
            return Ending(number, "killed", f"{state}: {_last_line(handle.stderr() or str(error))}", {}, seconds)


def _last_line(text: str) -> str:
    return next(iter(reversed(text.strip().splitlines())), "")
