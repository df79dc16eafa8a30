"""The launcher `ray`: each job of a sweep is a task of a Ray cluster."""

import time
from collections.abc import Mapping
from typing import Any

from firstlight.runs.sweeps.job import Ending, Job
from firstlight.training.sweeps.launch.clusters.alone import run_alone
from firstlight.training.sweeps.launch.launcher import NO_LIMITS, Limits, Work
from firstlight.training.sweeps.launch.supervisor import import_paths
from firstlight.training.sweeps.launch.work import train_job

_RESOURCES = ("num_cpus", "num_gpus", "memory", "resources", "scheduling_strategy", "accelerator_type")


class Ray:
    """Runs jobs as tasks of Ray. All machines must see the folder of the sweep.

    Args:
        jobs: how many jobs run at a time; None for as many as the cluster has resources for.
        limits: what a job may use.
        options: what a task needs, such as `num_cpus` (1 by default), `num_gpus` (1 on a cluster with GPUs) or
            `memory`; and options of `ray.init`, such as `address`. Without that, a cluster is started on this machine.
        work: what a job computes.

    Raises:
        ValueError: Ray is not installed, refuses an option, or finds no cluster.
    """

    def __init__(
        self,
        jobs: int | None = None,
        limits: Limits = NO_LIMITS,
        options: Mapping[str, Any] | None = None,
        work: Work = train_job,
    ) -> None:
        try:
            import ray
        except ModuleNotFoundError:
            fix = 'pip install "firstlight[ray]"'
            raise ValueError(f"sweep.launcher=ray: must have the package ray. To fix: {fix}") from None
        self._ray, self._limits, self._work = ray, limits, work
        self._running: dict[Any, tuple[int, float]] = {}  # reference -> number of the job, time of its start
        self._stopped: set[int] = set()
        of_tasks = {name: value for name, value in (options or {}).items() if name in _RESOURCES}
        of_cluster = {name: value for name, value in (options or {}).items() if name not in _RESOURCES}
        self._has_cluster = not ray.is_initialized()
        try:
            if self._has_cluster:
                ray.init(**{"include_dashboard": False, "log_to_driver": False} | of_cluster)
            total = ray.cluster_resources()
            needs = {"num_cpus": 1, "num_gpus": min(1, total.get("GPU", 0))} | of_tasks
            self._task = ray.remote(run_alone).options(max_retries=0, runtime_env={"env_vars": import_paths()}, **needs)
        except (ConnectionError, RuntimeError, TypeError, ValueError) as error:
            self.close()
            raise ValueError(f"sweep.options={dict(options or {})}: must suit Ray ({error})") from error
        self.slots = jobs or _fitting(total, needs)

    def start(self, job: Job) -> None:
        self._running[self._task.remote(job, self._work, self._limits)] = (job.number, time.monotonic())

    def wait(self, timeout: float | None = None) -> list[Ending]:
        if not self._running:
            return []
        count = len(self._running)
        first, _ = self._ray.wait(list(self._running), num_returns=1, timeout=timeout)
        others, _ = self._ray.wait(list(self._running), num_returns=count, timeout=0) if first else ([], [])
        return [self._ending(reference) for reference in others]

    def stop(self, number: int) -> None:
        self._stopped.add(number)
        for reference, (found, _) in self._running.items():
            if found == number:
                self._ray.cancel(reference, force=False)

    def close(self) -> None:
        for reference in self._running:
            self._ray.cancel(reference, force=True)
        self._running.clear()
        if self._has_cluster:
            self._ray.shutdown()

    def _ending(self, reference: Any) -> Ending:
        number, started = self._running.pop(reference)
        try:
            ending: Ending = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:  # it was cancelled before it began, or its machine is gone
            seconds = time.monotonic() - started
            if number in self._stopped:
                return Ending(number, "interrupted", "interrupted", {}, seconds)
            text = next(iter(str(error).strip().splitlines()), type(error).__name__)
            return Ending(number, "killed", f"killed: {text}", {}, seconds)
        return ending


def _fitting(total: Mapping[str, float], needs: Mapping[str, Any]) -> int:
    """Return how many tasks with these needs fit into the cluster, at least one."""
    named = {"num_cpus": "CPU", "num_gpus": "GPU"}
    counts = [int(total.get(key, 0) // needs[name]) for name, key in named.items() if needs.get(name)]
    return max(1, min(counts, default=1))
