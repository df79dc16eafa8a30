"""Runs jobs as child processes: starts them, ends those that hang, and finds out how each has ended."""

import contextlib
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import wait as wait_for_any
from pathlib import Path
from typing import Any, Protocol

from firstlight.runs.command_line import passed_on
from firstlight.runs.sweeps.job import Ending, Job, State
from firstlight.training.sweeps.launch.causes import cause_of, out_of_memory_kills
from firstlight.training.sweeps.launch.launcher import Limits, Work

_TICK = 0.1  # seconds between two looks at the jobs
_SECONDS_TO_SAVE = 30.0  # from SIGTERM to SIGKILL: the run writes a checkpoint
_SECONDS_TO_END = 5.0  # the same for a job that hangs


class Child(Protocol):
    """The process of a job.

    Attributes:
        pid: its id, and that of its process group.
    """

    pid: int

    def exit_code(self) -> int | None:
        """Return the exit code, or the negative number of a signal; None while the process runs."""


class Spawned:
    """A process that imports everything anew. Every system has it."""

    def __init__(self, *arguments: Any) -> None:
        command = [sys.executable, "-P", "-m", "firstlight.training.sweeps.launch.entry"]
        slot: dict[str, str] = arguments[3]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, env=os.environ | import_paths() | slot, start_new_session=True
        )
        self.pid = self._process.pid
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError), self._process.stdin as stream:  # its exit code says why
            pickle.dump(arguments, stream)

    def exit_code(self) -> int | None:
        return self._process.poll()


def import_paths() -> dict[str, str]:
    """Return the variables that let a Python process, started with -P, import modules from where this one does.

    By another one it knows the program that the user has called, and prints its commands.
    """
    return {"PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path)} | passed_on()


@dataclass
class _Running:
    job: Job
    slot: int
    child: Child
    result_path: Path
    started: float = field(default_factory=time.monotonic)
    kills_before: int = field(default_factory=out_of_memory_kills)
    reason: State | None = None  # why we have ended it
    kill_at: float | None = None


class Supervisor:
    """A launcher whose jobs are children of this process.

    Args:
        work: what a job computes.
        environments: the environment variables of each slot.
        limits: what a job may use.
        start_child: starts a process that calls `entry.run_job` with the given arguments.
    """

    def __init__(
        self,
        work: Work,
        environments: Sequence[dict[str, str]],
        limits: Limits,
        start_child: Callable[..., Child] = Spawned,
    ) -> None:
        self._work, self._limits, self._start_child = work, limits, start_child
        self._environments = environments
        self._running: dict[int, _Running] = {}
        self._unstarted: list[Ending] = []
        self._folder = Path(tempfile.mkdtemp(prefix="firstlight-"))

    @property
    def slots(self) -> int:
        return len(self._environments)

    def start(self, job: Job) -> None:
        used = {running.slot for running in self._running.values()}
        slot = next(number for number in range(self.slots) if number not in used)
        result_path = self._folder / f"{job.number}.json"
        result_path.unlink(missing_ok=True)
        arguments = (job, self._work, self._limits, self._environments[slot], result_path, os.getpid())
        try:
            child = self._start_child(*arguments)
        except OSError as error:  # no memory, or too many processes
            self._unstarted.append(Ending(job.number, "failed", f"cannot start a process ({error})"))
            return
        self._running[job.number] = _Running(job, slot, child, result_path)

    def wait(self, timeout: float | None = None, *, others: Sequence[Any] = ()) -> list[Ending]:
        """Return endings, see `Launcher.wait`; also when one of `others` is ready to be read."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            self._end_overdue()
            endings = [self._ending(running) for running in list(self._running.values()) if _has_ended(running)]
            endings += self._unstarted
            self._unstarted = []
            is_late = deadline is not None and time.monotonic() >= deadline
            if endings or is_late or (others and wait_for_any(others, 0)):
                return endings
            sentinels = [each.child.sentinel for each in self._running.values() if hasattr(each.child, "sentinel")]
            if sentinels or others:
                wait_for_any([*sentinels, *others], _TICK if self._running else None)
            else:
                time.sleep(_TICK)

    def stop(self, number: int) -> None:
        if number in self._running:
            self._ask_to_end(self._running[number], "interrupted", _SECONDS_TO_SAVE)

    def close(self) -> None:
        for running in self._running.values():
            _signal(running.child.pid, "SIGKILL")
        shutil.rmtree(self._folder, ignore_errors=True)

    def _end_overdue(self) -> None:
        now = time.monotonic()
        for running in self._running.values():
            timeout = self._limits.timeout
            if running.kill_at is not None and now > running.kill_at:
                _signal(running.child.pid, "SIGKILL")
            elif running.reason is None and timeout is not None and now > running.started + timeout:
                self._ask_to_end(running, "timeout", _SECONDS_TO_END)

    def _ask_to_end(self, running: _Running, reason: State, seconds: float) -> None:
        running.reason, running.kill_at = reason, time.monotonic() + seconds
        _signal(running.child.pid, "SIGTERM")

    def _ending(self, running: _Running) -> Ending:
        del self._running[running.job.number]
        _signal(running.child.pid, "SIGKILL")  # what the job has started, and not ended
        state, cause, metrics = self._result(running)
        return Ending(running.job.number, state, cause, metrics, time.monotonic() - running.started)

    def _result(self, running: _Running) -> tuple[State, str, dict[str, Any]]:
        result: dict[str, Any] = {}
        with contextlib.suppress(OSError, ValueError):
            result = json.loads(running.result_path.read_text(encoding="utf-8"))
        state = result.get("state")
        if running.reason is not None and state in (None, "interrupted", "failed"):
            text = f"timeout: longer than sweep.timeout={self._limits.timeout:g}" if running.reason == "timeout" else ""
            return running.reason, text or "interrupted", {}
        if state is not None:
            return state, result["cause"], result["metrics"]
        exit_code = running.child.exit_code()
        assert exit_code is not None
        return *cause_of(exit_code, running.job.log_path, running.kills_before), {}


def _has_ended(running: _Running) -> bool:
    return running.child.exit_code() is not None


def _signal(pid: int, name: str) -> None:
    """Send a signal to a process and to the group that it leads, if they exist."""
    if sys.platform == "win32":
        subprocess.run(["taskkill", "/F", "/T", "/PID", str(pid)], capture_output=True, check=False)
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, getattr(signal, name))
