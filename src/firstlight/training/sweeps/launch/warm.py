"""The launcher whose jobs are forked from one process that has imported everything, see `forker`."""

import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from firstlight.runs.sweeps.job import Ending, Job
from firstlight.training.sweeps.launch.launcher import Limits, Work
from firstlight.training.sweeps.launch.supervisor import import_paths


@dataclass(frozen=True)
class Settings:
    """What the parent must know.

    Attributes:
        work: what a job computes.
        prepare: imports what the jobs need.
        jobs: the number of slots; None for one per GPU, or up to 4 on a CPU.
        uses_gpus: whether jobs get GPUs, if there are any.
        limits: what a job may use.
    """

    work: Work
    prepare: Callable[[], None]
    jobs: int | None
    uses_gpus: bool
    limits: Limits


class Warm:
    """A launcher whose jobs are forked from a process of its own, see `forker`.

    If that process is killed, its jobs are too; the next job starts another one.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._running: dict[int, float] = {}  # number of a job -> time of its start
        self._slots = 0
        self._open()

    def _open(self) -> None:
        self._connection, theirs = multiprocessing.Pipe()
        command = [sys.executable, "-P", "-m", "firstlight.training.sweeps.launch.forker", str(theirs.fileno())]
        self._process = subprocess.Popen(
            command,
            env=os.environ | import_paths(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            start_new_session=True,  # Ctrl-C is for the sweep, which then stops its jobs
        )
        theirs.close()
        self._connection.send(self._settings)
        self._is_ready = False

    def _await_parent(self) -> None:
        """Wait until the parent has imported everything.

        Raises:
            ChildProcessError: it has failed.
        """
        if not self._is_ready:
            try:
                self._slots = self._connection.recv()
            except (EOFError, OSError):
                raise ChildProcessError(f"the parent of the jobs ended with exit code {self._process.wait()}") from None
            self._is_ready = True

    @property
    def slots(self) -> int:
        self._await_parent()
        return self._slots

    def start(self, job: Job) -> None:
        self._await_parent()
        self._connection.send(job)
        self._running[job.number] = time.monotonic()

    def wait(self, timeout: float | None = None) -> list[Ending]:
        self._await_parent()
        endings: list[Ending] = []
        try:
            while self._connection.poll(0 if endings else timeout):
                endings.append(self._connection.recv())
        except (EOFError, OSError):
            self._process.wait()
            now = time.monotonic()
            cause = "killed: the parent of the jobs has ended"
            lost = set(self._running) - {ending.number for ending in endings}
            endings += [Ending(number, "killed", cause, {}, now - self._running[number]) for number in lost]
            self._open()
        for ending in endings:
            del self._running[ending.number]
        return endings

    def stop(self, number: int) -> None:
        self._connection.send(number)

    def close(self) -> None:
        self._connection.close()
        if not self._is_ready:  # it still imports, and has no job
            self._process.terminate()
        self._process.wait()
