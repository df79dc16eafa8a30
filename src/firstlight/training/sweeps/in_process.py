"""A launcher that trains in this process: one job after the other, each as a single run would."""

import time
from collections.abc import Callable
from typing import Any

from firstlight.config.errors import explain
from firstlight.runs.sweeps import Ending, Job, State

Work = Callable[[Job], dict[str, Any]]
_STATES: dict[str, State] = {"completed": "completed", "pruned": "pruned", "diverged": "diverged"}


class InProcess:
    """Runs jobs in this process. A job that crashes takes the sweep with it.

    Args:
        work: trains a job and returns its metrics.
    """

    def __init__(self, work: Work) -> None:
        self.slots = 1
        self._work = work
        self._waiting: list[Job] = []
        self._stopped: list[Ending] = []

    def start(self, job: Job) -> None:
        """Let a job wait for `wait`, which runs it."""
        self._waiting.append(job)

    def wait(self, timeout: float | None = None) -> list[Ending]:
        """Run the job that waits.

        Raises:
            KeyboardInterrupt: a signal stops the sweep.
        """
        jobs, self._waiting = self._waiting, []
        stopped, self._stopped = self._stopped, []
        return stopped + [self._run(job) for job in jobs]

    def _run(self, job: Job) -> Ending:
        started = time.perf_counter()
        try:
            metrics = self._work(job)
            ending = Ending(job.number, _STATES.get(str(metrics.get("status")), "completed"), metrics=metrics)
        except Exception as error:  # the other jobs go on
            ending = Ending(job.number, "failed", explain(error, job.overrides))
        return Ending(job.number, ending.state, ending.cause, ending.metrics, time.perf_counter() - started)

    def stop(self, number: int) -> None:
        """Report a job as interrupted; a signal has stopped it already."""
        self._waiting = [job for job in self._waiting if job.number != number]
        self._stopped.append(Ending(number, "interrupted", "interrupted"))

    def close(self) -> None:
        """Do nothing: no job runs outside of `wait`."""
