"""The slots of a machine: each holds one job at a time, and has a part of the cores and of the GPUs."""

import os
from collections.abc import Sequence

PRETENDED = "FIRSTLIGHT_PRETENDED_GPUS"  # a number of GPUs that tests pretend to have
CORES = "FIRSTLIGHT_CORES"  # the cores of a job, which the processes of one run divide among them
_VISIBLE = "CUDA_VISIBLE_DEVICES"
_JOBS = 4  # at a time on a CPU, unless the user says more: each holds its data and its network in memory


def slot_environments(jobs: int | None, gpus: Sequence[str], cores: int | None = None) -> list[dict[str, str]]:
    """Return the environment variables of each slot, which name its GPUs and the number of its threads.

    Args:
        jobs: the number of slots; None for one per GPU, or without one per core, at most 4. Fewer slots than GPUs have
            several GPUs each; more slots use the GPUs together.
        gpus: the names of the GPUs, see `gpus`.
        cores: the number of cores; None for all that this process may use. If the user has set OMP_NUM_THREADS, it is
            the number of threads of each job.
    """
    cores = cores or available_cores()
    count = jobs or len(gpus) or max(1, min(cores // (chosen_threads() or 1), _JOBS))
    threads = max(1, cores // count)
    variables = {} if "OMP_NUM_THREADS" in os.environ else {"OMP_NUM_THREADS": str(threads), CORES: str(threads)}
    return [variables | _visible(number, count, gpus) for number in range(count)]


def _visible(number: int, count: int, gpus: Sequence[str]) -> dict[str, str]:
    if not gpus:
        return {}
    if count > len(gpus):
        return {_VISIBLE: gpus[number % len(gpus)]}
    return {_VISIBLE: ",".join(gpus[number * len(gpus) // count : (number + 1) * len(gpus) // count])}


def chosen_threads() -> int:
    """Return the number of threads that OMP_NUM_THREADS names; 0 if the user has not set it."""
    first = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()  # then those of nested threads
    return int(first) if first.isdecimal() else 0


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def gpus() -> list[str]:
    """Return the names of the GPUs, as CUDA_VISIBLE_DEVICES has them. Imports torch, and may initialize CUDA."""
    count = int(os.environ.get(PRETENDED, 0)) or _num_gpus()
    visible = os.environ.get(_VISIBLE)
    return visible.split(",")[:count] if visible else [str(number) for number in range(count)]


def _num_gpus() -> int:
    import torch

    return torch.cuda.device_count()
