"""The launcher that the settings of a sweep name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from firstlight.checks import choose
from firstlight.runs.sweeps import Job
from firstlight.training.sweeps.in_process import InProcess
from firstlight.training.sweeps.launch import Launcher, Limits
from firstlight.training.sweeps.settings import SweepSettings

LAUNCHERS = ("local", "in_process", "submitit", "ray")
_GIB = 2**30


def build_launcher(
    settings: SweepSettings, folder: Path, work: Callable[[Job], dict[str, Any]] | None = None, *, on_cpu: bool = False
) -> Launcher:
    """Return a launcher.

    Args:
        settings: the settings of the sweep.
        folder: the folder of the sweep.
        work: trains a job in this process, in place of the launcher of the settings.
        on_cpu: whether all jobs compute on the CPU.

    Raises:
        ValueError: the launcher is unknown, its package is missing, or an option of it is refused.
    """
    name = choose("sweep.launcher", settings.launcher, LAUNCHERS, "launcher")
    if settings.options and name not in ("submitit", "ray"):
        raise ValueError(f"sweep.options={settings.options}: must be left out with sweep.launcher={name}.")
    limits = Limits(settings.timeout, None if settings.memory is None else int(settings.memory * _GIB))
    if work is not None:
        return InProcess(work)
    if name == "in_process":
        from firstlight.training.sweeps.launch.work import train_job

        return InProcess(train_job)
    if name == "submitit":
        from firstlight.training.sweeps.launch.clusters.slurm import Submitit

        return Submitit(folder / "submitit", settings.jobs, limits, settings.options)
    if name == "ray":
        from firstlight.training.sweeps.launch.clusters.ray_tasks import Ray

        return Ray(settings.jobs, limits, settings.options)
    from firstlight.training.sweeps.launch.local import local

    return local(settings.jobs, limits, uses_gpus=not on_cpu)
