"""Jobs of sweeps that train nothing: each ends in one of the ways in which a training may end."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from firstlight.runs.sweeps.job import Job
from firstlight.training.sweeps.launch.work import train_job


def make_job(folder: Path, number: int, *overrides: str, **values: Any) -> Job:
    """Return a job whose config consists of `values`."""
    return Job(number, overrides, values, folder / str(number), folder / "logs" / f"{number}.log")


def nothing() -> None:
    """Import nothing in the parent of the jobs."""


def fails() -> None:
    """Fail as an import does."""
    raise ImportError("no training here")


def await_file(path: Path) -> Path:
    """Wait until a job has written a file."""
    deadline = time.monotonic() + 20
    while not path.exists() or not path.stat().st_size:
        assert time.monotonic() < deadline, path
        time.sleep(0.02)
    return path


def await_end(pid: int) -> None:
    """Wait until a process has ended; its status, read here, is that of a zombie if no parent has read it."""
    deadline = time.monotonic() + 10
    while True:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return
        if state == "Z":
            return
        assert time.monotonic() < deadline, pid
        time.sleep(0.02)


def work(job: Job) -> dict[str, Any]:
    """Do what `end` in the config of the job says; train if it says nothing."""
    end = job.config.get("end")
    return train_job(job) if end is None else ENDS[end](job)


def count_imports(job: Job) -> dict[str, Any]:
    """Train, and count the modules that the training imports, and the threads of the parent."""
    before = set(sys.modules)
    metrics = train_job(job)
    threads = len(list(Path(f"/proc/{os.getppid()}/task").iterdir()))
    return metrics | {"modules": len(set(sys.modules) - before), "threads of the parent": threads}


def _completed(job: Job) -> dict[str, Any]:
    began = time.time()
    time.sleep(job.config.get("seconds", 0))
    names = ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "ADDED")
    found = {name: os.environ.get(name) for name in names}
    return {"status": "completed", "began": began, "ended": time.time()} | found


def _raises(job: Job) -> dict[str, Any]:
    raise ValueError("optimizer.lr=-1: must be positive.")


def _has_bug(job: Job) -> dict[str, Any]:
    return {"status": 1 / 0}


def _exits(job: Job) -> dict[str, Any]:
    print("the last words")
    os._exit(3)


def _leaves(job: Job) -> dict[str, Any]:
    sys.exit("a library calls sys.exit")


def _stops_early(job: Job) -> dict[str, Any]:
    os._exit(0)


def _kills_itself(job: Job) -> dict[str, Any]:
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def _segfaults(job: Job) -> dict[str, Any]:
    ctypes.string_at(0)
    return {}


def _allocates(job: Job) -> dict[str, Any]:
    blocks = []
    while True:
        blocks.append(bytearray(2**26))


def _allocates_tensors(job: Job) -> dict[str, Any]:
    import torch

    blocks = []
    while True:
        blocks.append(torch.zeros(2**24))


def _diverges(job: Job) -> dict[str, Any]:
    return {"status": "diverged", "val/loss": None}


def _is_pruned(job: Job) -> dict[str, Any]:
    return {"status": "pruned", "val/loss": 2.0}


def _hangs(job: Job) -> dict[str, Any]:
    """Ignore SIGTERM, and leave a child that does too."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('child', flush=True); time.sleep(99)"
    )
    child = subprocess.Popen([sys.executable, "-c", code])
    job.run_dir.mkdir(parents=True)
    (job.run_dir / "child").write_text(str(child.pid))
    time.sleep(99)
    return {}


def _waits(job: Job) -> dict[str, Any]:
    job.run_dir.mkdir(parents=True)
    (job.run_dir / "pid").write_text(str(os.getpid()))
    try:
        time.sleep(99)
    finally:
        (job.run_dir / "saved").touch()
    return {}


ENDS = {
    "completed": _completed,
    "raises": _raises,
    "has a bug": _has_bug,
    "exits": _exits,
    "leaves": _leaves,
    "stops early": _stops_early,
    "kills itself": _kills_itself,
    "segfaults": _segfaults,
    "allocates": _allocates,
    "allocates tensors": _allocates_tensors,
    "diverges": _diverges,
    "is pruned": _is_pruned,
    "hangs": _hangs,
    "waits": _waits,
}
