"""Why a process has ended without a result: its exit code, the memory of the machine, the end of its log."""

import contextlib
import signal
import sys
from pathlib import Path

from firstlight.runs.sweeps.job import State

_LINES = 5
_BYTES = 4096  # of the end of a log
_NAMES = {"SIGSEGV": "segmentation fault", "SIGBUS": "bus error", "SIGABRT": "aborted", "SIGILL": "illegal instruction"}
_CRASH = "Fatal Python error:"  # of faulthandler; the innermost call follows
_FULL = ("std::bad_alloc", "memory allocation of")  # C++ and Rust print this and abort


def cause_of(exit_code: int, log_path: Path, kills_before: int) -> tuple[State, str]:
    """Return the state and the cause of a job that has left no result. The last lines of its log follow the cause.

    Args:
        exit_code: the exit code, or the negative number of the signal that ended the process.
        log_path: the log of the job.
        kills_before: `out_of_memory_kills` at the start of the job.
    """
    lines = _last_lines(log_path)
    state, cause = _cause(exit_code, lines, out_of_memory_kills() > kills_before)
    return state, "\n".join([cause, *(f"  {line}" for line in lines)])


def _cause(exit_code: int, lines: list[str], is_memory_short: bool) -> tuple[State, str]:
    if exit_code >= 0:
        return "failed", f"ended with exit code {exit_code}" + " and without a result" * (exit_code == 0)
    name = _signal_name(-exit_code)
    if name == "SIGKILL" and is_memory_short:
        return "out_of_memory", "out of memory: the system has killed the process"
    if name == "SIGABRT" and any(word in line for word in _FULL for line in lines):
        return "out_of_memory", "out of memory"
    return "killed", f"{_NAMES.get(name, 'killed')} ({name})"


def _signal_name(number: int) -> str:
    with contextlib.suppress(ValueError):
        return signal.Signals(number).name
    return f"signal {number}"


def _last_lines(path: Path) -> list[str]:
    """Return the last lines of a log; after a crash of the interpreter, where it was."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _BYTES))
        lines = [line.rstrip() for line in file.read().decode(errors="replace").splitlines() if line.strip()]
        crashes = [number for number, line in enumerate(lines) if line.startswith(_CRASH)]
        return lines[crashes[-1] :][:_LINES] if crashes else lines[-_LINES:]
    return []


def out_of_memory_kills() -> int:
    """Return how many processes the system has killed because memory was short: those of our cgroup, or all."""
    if sys.platform != "linux":
        return 0
    for path in (_cgroup() / "memory.events", Path("/proc/vmstat")):
        with contextlib.suppress(OSError):
            for line in path.read_text().splitlines():
                if line.startswith("oom_kill "):
                    return int(line.split()[1])
    return 0


def _cgroup() -> Path:
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            if line.startswith("0::"):
                return Path("/sys/fs/cgroup", line[3:].lstrip("/"))
    return Path("/sys/fs/cgroup")
