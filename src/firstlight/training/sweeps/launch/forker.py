"""The warm parent of the jobs of a sweep: it imports what they need once, and forks a process for each.

It never computes, so no threads of torch exist when it forks. `python -m firstlight.training.sweeps.launch.forker FD`
gets its settings and jobs through a connection, and ends with it.
"""

import contextlib
import gc
import multiprocessing
import os
import signal
import sys
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

from firstlight.runs.sweeps.job import Job
from firstlight.training.lean_imports import pause_garbage_collection
from firstlight.training.sweeps.launch.entry import run_job
from firstlight.training.sweeps.launch.slots import gpus, slot_environments
from firstlight.training.sweeps.launch.supervisor import Supervisor
from firstlight.training.sweeps.launch.warm import Settings

_fork = multiprocessing.get_context("fork")
_TICK = 0.5  # seconds between two looks at the sweep
_ONE_THREAD = "OPENBLAS_NUM_THREADS"  # OpenBLAS would start its threads when NumPy is imported


class Forked:
    """A process that has the modules of this one from the start, but not its connection."""

    def __init__(self, connection: Connection, *arguments: Any) -> None:
        self._process = _fork.Process(target=_run_as_leader, args=(connection, *arguments))
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid
        self.sentinel = self._process.sentinel

    def exit_code(self) -> int | None:
        return self._process.exitcode


def _run_as_leader(connection: Connection, *arguments: Any) -> None:
    connection.close()
    os.setsid()
    run_job(*arguments)


def serve(connection: Connection) -> None:
    """Run the jobs that arrive, and send back how each has ended, until the process that sends them ends."""
    sweep = os.getppid()
    settings: Settings = connection.recv()
    supervisor = Supervisor(settings.work, _prepare(settings), settings.limits, partial(Forked, connection))
    try:
        connection.send(supervisor.slots)
        while os.getppid() == sweep:  # its children may hold the other end of the connection open
            for ending in supervisor.wait(_TICK, others=[connection]):
                connection.send(ending)
            while connection.poll():
                request = connection.recv()
                supervisor.start(request) if isinstance(request, Job) else supervisor.stop(request)
    except (EOFError, ConnectionError):  # the sweep has ended
        pass
    finally:
        supervisor.close()


def _prepare(settings: Settings) -> list[dict[str, str]]:
    """Import what the jobs need, and return the environment variables of each slot."""
    is_set = _ONE_THREAD in os.environ
    os.environ.setdefault(_ONE_THREAD, "1")
    with pause_garbage_collection():
        settings.prepare()
    if not is_set:
        del os.environ[_ONE_THREAD]
    gc.collect()
    gc.freeze()  # the jobs need not look at these objects again, nor copy their pages
    return slot_environments(settings.jobs, _gpus_seen_by_a_child() if settings.uses_gpus else [])


def _gpus_seen_by_a_child() -> list[str]:
    """Return the GPUs, which another process counts: one that has used CUDA cannot be forked."""
    receiver, sender = _fork.Pipe(duplex=False)
    process = _fork.Process(target=_send_gpus, args=(sender,))
    process.start()
    sender.close()
    with contextlib.suppress(EOFError), receiver:
        return receiver.recv()
    return []


def _send_gpus(sender: Connection) -> None:
    sender.send(gpus())


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.set_inheritable(int(sys.argv[1]), False)
    serve(Connection(int(sys.argv[1])))
    os._exit(0)
