"""Run one job on another machine, where a cluster has started this process for it."""

import signal
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from types import FrameType

from firstlight.runs.sweeps.job import Ending, Job
from firstlight.training.sweeps.launch.launcher import Limits, Work, end_all
from firstlight.training.sweeps.launch.slots import slot_environments
from firstlight.training.sweeps.launch.supervisor import Supervisor


def run_alone(job: Job, work: Work, limits: Limits) -> Ending:
    """Run a job in a child process, with the cores and GPUs that the cluster has given to this process.

    Ctrl-C and SIGTERM, by which clusters cancel a job, let it save its checkpoint.
    """
    with closing(Supervisor(work, slot_environments(1, []), limits)) as supervisor, _sigterm_interrupts():
        supervisor.start(job)
        try:
            (ending,) = supervisor.wait()
        except KeyboardInterrupt:
            (ending,) = end_all(supervisor, [job.number])
    return ending


@contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():  # others cannot set handlers
        yield
        return
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(number: int, _: FrameType | None) -> None:
    raise KeyboardInterrupt(number)
