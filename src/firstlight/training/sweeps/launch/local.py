"""The launcher of this machine."""

import sys
from collections.abc import Callable

from firstlight.training.sweeps.launch.launcher import NO_LIMITS, Launcher, Limits, Work
from firstlight.training.sweeps.launch.slots import gpus, slot_environments
from firstlight.training.sweeps.launch.supervisor import Supervisor
from firstlight.training.sweeps.launch.warm import Settings, Warm
from firstlight.training.sweeps.launch.work import import_training, train_job

CAN_FORK = sys.platform == "linux"  # the frameworks of macOS do not work in a forked process


def local(
    jobs: int | None = None,
    limits: Limits = NO_LIMITS,
    *,
    uses_gpus: bool = True,
    work: Work = train_job,
    prepare: Callable[[], None] = import_training,
) -> Launcher:
    """Return a launcher that runs jobs on this machine, each in a process of its own.

    On Linux the processes are forked from one that has imported torch and Lightning. Elsewhere each imports them.

    Args:
        jobs: how many jobs run at a time; None for one per GPU, or without one per core, at most 4.
        limits: what a job may use.
        uses_gpus: whether each job gets a part of the GPUs; False for jobs that compute on the CPU.
        work: what a job computes.
        prepare: imports what the jobs need.
    """
    if CAN_FORK:
        return Warm(Settings(work, prepare, jobs, uses_gpus, limits))
    return Supervisor(work, slot_environments(jobs, gpus() if uses_gpus else []), limits)
