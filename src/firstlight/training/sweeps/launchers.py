"""The launcher that the settings of a sweep name."""

from collections.abc import Callable
from typing import Any

from firstlight.checks import choose
from firstlight.runs.sweeps import Job
from firstlight.training.sweeps.in_process import InProcess
from firstlight.training.sweeps.launch import Launcher, Limits
from firstlight.training.sweeps.settings import SweepSettings

LAUNCHERS = ("local", "in_process")


def build_launcher(settings: SweepSettings, work: Callable[[Job], dict[str, Any]] | None = None) -> Launcher:
    """Return a launcher.

    Args:
        settings: the settings of the sweep.
        work: trains a job in this process, in place of the launcher of the settings.

    Raises:
        ValueError: the launcher is unknown, or an option of it is refused.
    """
    name = choose("sweep.launcher", settings.launcher, LAUNCHERS, "launcher")
    if work is not None:
        return InProcess(work)
    if name == "in_process":
        from firstlight.training.sweeps.launch.work import train_job

        return InProcess(train_job)
    from firstlight.training.sweeps.launch.local import local

    return local(settings.jobs, Limits(settings.timeout))
