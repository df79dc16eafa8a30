"""Start workers, watch them, and end all of them when one of them ends early."""

import contextlib
import json
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence

from firstlight.training.processes.connection import Connections

SILENCE = 120.0  # seconds without a sign of life after which a worker counts as stopped
_TICK = 0.2  # seconds between two looks at the workers
_SECONDS_TO_END = 10.0  # from SIGTERM to SIGKILL, if another worker has failed
_SECONDS_TO_SAVE = 30.0  # from SIGTERM to SIGKILL, if this process is stopped, and the workers write a checkpoint


def supervise(command: Sequence[str], environments: Sequence[Mapping[str, str]], silence: float = SILENCE) -> None:
    """Start a worker in each environment, and wait for all of them. No worker survives this call, nor this process.

    A SIGTERM to this process is passed on to the workers.

    Args:
        command: the command of a worker, which calls `connect_to_parent`.
        environments: the environment variables of each worker.
        silence: seconds after which a worker that gives no sign of life is killed.

    Raises:
        ValueError: a worker refused its task. The message is that of the worker.
        ChildProcessError: a worker failed, was killed, or gave no sign of life.
        KeyboardInterrupt: a signal stopped this process or a worker. The argument is the number of the signal.
    """
    with Connections() as connections, _sigterm_noted() as terminated:
        workers: list[_Worker] = []
        seconds_to_end = _SECONDS_TO_SAVE
        try:
            for number, environment in enumerate(environments):
                variables = {**environment, **connections.environment(number)}
                workers.append(_Worker(number, subprocess.Popen(command, env=variables)))
            culprit = _watch(workers, connections, silence, terminated)
            seconds_to_end = _SECONDS_TO_END if culprit else _SECONDS_TO_SAVE
        finally:
            _end(workers, seconds_to_end)
        _hear(workers, connections, 0)
    if terminated and any(worker.has_failed for worker in workers):
        raise KeyboardInterrupt(terminated[0])
    if culprit is not None:
        _raise_for(culprit, workers, silence)


class _Worker:
    """A process, and what is known of it.

    Attributes:
        silent_for: seconds since its latest sign of life.
        outcome: how it ends, by its own report.
        message: the text for the user that belongs to the outcome.
    """

    def __init__(self, number: int, process: subprocess.Popen[bytes]) -> None:
        self.number = number
        self.process = process
        self.silent_for = 0.0
        self.outcome = ""
        self.message = ""

    @property
    def runs(self) -> bool:
        return self.process.poll() is None

    @property
    def has_failed(self) -> bool:
        return self.process.poll() not in (None, 0)


def _watch(
    workers: list[_Worker], connections: Connections, silence: float, terminated: Sequence[int]
) -> _Worker | None:
    """Wait until all workers have succeeded, one has failed or is silent, or this process is terminated.

    Returns:
        The worker that has failed or is silent, if there is one.
    """
    while not terminated and any(worker.runs for worker in workers):
        before = time.monotonic()
        _hear(workers, connections, _TICK)
        # If this process was stopped itself, the time of the pause does not count.
        elapsed = min(time.monotonic() - before, 2 * _TICK)
        failed = [worker for worker in workers if worker.has_failed]
        if failed:  # one that a signal has ended comes first; the others fail because they miss it
            return min(failed, key=lambda worker: worker.process.returncode > 0)
        for worker in workers:
            worker.silent_for += elapsed if worker.runs else 0
            if worker.silent_for > silence:
                worker.process.kill()  # a stopped process does not react to anything else
                return worker
    return next((worker for worker in workers if worker.has_failed), None)


def _hear(workers: list[_Worker], connections: Connections, seconds: float) -> None:
    """Wait at most `seconds` for reports of the workers, and take in what has arrived."""
    for number, text in connections.receive(seconds):
        workers[number].silent_for = 0
        if text:
            workers[number].outcome, workers[number].message = json.loads(text)


def _raise_for(culprit: _Worker, workers: list[_Worker], silence: float) -> None:
    """Raise the error for a worker that has ended early, and for those that ended because of it."""
    for worker in workers:
        if worker.outcome == "interrupted":
            raise KeyboardInterrupt(int(worker.message))
    name = f"process {culprit.number} of {len(workers)} (numbered from 0)"
    if culprit.outcome == "refused":
        raise ValueError(culprit.message)
    if culprit.outcome == "failed":
        raise ChildProcessError(f"{name} failed: {culprit.message}")
    if culprit.silent_for > silence:
        raise ChildProcessError(
            f"{name} gave no sign of life for {silence:.0f} s, so all were ended. It was stopped, or the machine is"
            " overloaded."
        )
    raise ChildProcessError(f"{name} {_description(culprit.process.returncode)}, so the others were ended too.")


def _description(status: int) -> str:
    """Describe the exit status of a process that has not reported how it ends."""
    number = -status if status < 0 else status - 128  # shells add 128 to the number of a signal
    try:
        name = signal.Signals(number).name
    except ValueError:
        return f"ended with exit status {status}"
    memory = ", perhaps by the system for want of memory" if name == "SIGKILL" else ""
    return f"was ended by {name}{memory}"


def _end(workers: list[_Worker], seconds: float) -> None:
    """Send SIGTERM to the workers that run, and SIGKILL to those that still run after some seconds."""
    try:
        for worker in workers:
            if worker.runs:
                worker.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + seconds
        while any(worker.runs for worker in workers) and time.monotonic() < deadline:
            time.sleep(0.02)
    finally:  # a second Ctrl-C ends the wait
        for worker in workers:
            if worker.runs:
                worker.process.kill()
            worker.process.wait()


@contextlib.contextmanager
def _sigterm_noted() -> Iterator[list[int]]:
    """Collect the SIGTERMs to this process in the block; only the main thread of a process can."""
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    before = signal.signal(signal.SIGTERM, lambda number, _: received.append(number))
    try:
        yield received
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)
