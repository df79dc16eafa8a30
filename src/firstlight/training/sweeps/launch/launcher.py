"""What the loop of a sweep expects of a launcher."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from firstlight.runs.sweeps.job import Ending, Job

# What a job computes: it returns the content of metrics.json with "run_dir", or raises the error that ends the job.
# Other processes import it by its name, so it is a function of a module.
Work = Callable[[Job], dict[str, Any]]


@dataclass(frozen=True)
class Limits:
    """What a job may use.

    Attributes:
        timeout: seconds after which a job is ended; None for no limit.
        memory: bytes of data that each process of a job may hold; None for no limit. Linux only.
    """

    timeout: float | None = None
    memory: int | None = None


NO_LIMITS = Limits()


class Launcher(Protocol):
    """Runs jobs, at most `slots` at a time. No job survives `close`, nor the end of this process.

    After Ctrl-C, call `end_all`: the jobs save their checkpoints, and are reported as interrupted.
    """

    @property
    def slots(self) -> int:
        """The number of jobs that run at a time."""
        ...

    def start(self, job: Job) -> None:
        """Start a job. Fewer than `slots` jobs may run."""
        ...

    def wait(self, timeout: float | None = None) -> list[Ending]:
        """Return the endings of the jobs that have ended since the last call.

        Args:
            timeout: seconds to wait for the first of them; None for no limit.
        """
        ...

    def stop(self, number: int) -> None:
        """Let a job save its checkpoint and end; `wait` then reports it as interrupted."""
        ...

    def close(self) -> None:
        """End all jobs that still run, at once."""
        ...


def end_all(launcher: Launcher, numbers: Iterable[int]) -> list[Ending]:
    """Stop jobs, and return their endings once all have saved their checkpoints.

    Args:
        launcher: the launcher that runs them.
        numbers: the numbers of the jobs.
    """
    running = set(numbers)
    for number in running:
        launcher.stop(number)
    endings: list[Ending] = []
    while running:
        endings += launcher.wait(None)
        running -= {ending.number for ending in endings}
    return endings
