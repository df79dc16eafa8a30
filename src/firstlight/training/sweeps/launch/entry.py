"""The process of a job: its surroundings, its work, and the result that it leaves.

`python -m firstlight.training.sweeps.launch.entry` reads the arguments of `run_job` from its input.
"""

import contextlib
import ctypes
import faulthandler
import io
import os
import pickle
import signal
import sys
import traceback
from pathlib import Path
from types import FrameType
from typing import Any

from firstlight.files import write_json
from firstlight.runs.sweeps.job import Job, State
from firstlight.training.sweeps.launch.launcher import Limits, Work
from firstlight.training.sweeps.launch.slots import chosen_threads

_HINT = "HYDRA_FULL_ERROR=1 shows the whole traceback."  # of `config.errors`
_STATES: dict[str, tuple[State, str]] = {  # metrics["status"] -> how the job has ended
    "diverged": ("diverged", "the training has diverged"),
    "pruned": ("pruned", ""),
    "interrupted": ("interrupted", "interrupted"),
}


def run_job(job: Job, work: Work, limits: Limits, environment: dict[str, str], result_path: Path, parent: int) -> None:
    """Run a job in this process, which then exits with status 0, or 1 if the job has failed.

    Args:
        job: the job.
        work: what it computes.
        limits: what it may use.
        environment: environment variables of its slot.
        result_path: the file that gets the state, the cause and the metrics. A process that crashes leaves none.
        parent: the id of the process that has started this one, and ends together with it.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _die_with(parent)
    _print_to(job.log_path)
    os.environ.update(environment | job.environment)
    _limit_threads()
    _limit_memory(limits.memory)
    state, cause, metrics = _result(job, work, limits)
    write_json(result_path, {"state": state, "cause": cause, "metrics": metrics})
    sys.exit(0 if state in ("completed", "pruned") else 1)


def _interrupt(number: int, _: FrameType | None) -> None:
    raise KeyboardInterrupt(number)


def _die_with(parent: int) -> None:
    """Let Linux kill this process when its parent ends, and kill it first of all if memory is short."""
    if sys.platform != "linux":
        return
    pr_set_pdeathsig = 1  # a constant of linux/prctl.h
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
    if os.getppid() != parent:  # it has ended already
        os._exit(1)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def _print_to(log_path: Path) -> None:
    """Append what this process and its children print to a file, line by line."""
    log_path.parent.mkdir(parents=True, exist_ok=True)
    with log_path.open("ab") as file:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = io.FileIO(number, "w", closefd=False)
        lines = io.TextIOWrapper(io.BufferedWriter(stream), "utf-8", "backslashreplace", line_buffering=True)
        setattr(sys, name, lines)
    faulthandler.enable()


def _limit_threads() -> None:
    """Let torch use as many threads as the environment says, even if it is imported already."""
    threads = chosen_threads()
    if threads and "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)


def _limit_memory(size: int | None) -> None:
    """Let allocations beyond `size` bytes fail, so that they raise errors; None lifts the limit."""
    if sys.platform != "linux":
        return
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (hard if size is None else size, hard))


def _result(job: Job, work: Work, limits: Limits) -> tuple[State, str, dict[str, Any]]:
    try:
        metrics = work(job)
    except KeyboardInterrupt:
        return "interrupted", "interrupted", {}
    except Exception as error:
        _limit_memory(None)
        traceback.print_exc()
        if _is_out_of_memory(error):
            return "out_of_memory", _memory_text(str(error), limits), {}
        return "failed", _explained(error, job), {}
    state, cause = _STATES.get(str(metrics.get("status")), ("completed", ""))
    return state, cause, metrics


def _is_out_of_memory(error: BaseException | None) -> bool:
    """Return whether an allocation has failed: one of Python, of a device, or of torch, which raises a RuntimeError."""
    if error is None:
        return False
    texts = ("DefaultCPUAllocator", "CUDA out of memory", "CUDA error: out of memory", "MPS backend out of memory")
    is_one = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return is_one or any(text in str(error) for text in texts) or _is_out_of_memory(error.__cause__)


def _memory_text(text: str, limits: Limits) -> str:
    limit = "" if limits.memory is None else f" (sweep.memory={limits.memory / 2**30:g})"  # in GiB, as it was written
    first = (text.strip().splitlines() or [""])[0]
    return f"out of memory{limit}" + f": {first}" * bool(first)


def _explained(error: Exception, job: Job) -> str:
    from firstlight.config.errors import explain

    return explain(error, job.overrides).replace(_HINT, f"{job.log_path} holds the whole traceback.")


if __name__ == "__main__":
    run_job(*pickle.load(sys.stdin.buffer))
