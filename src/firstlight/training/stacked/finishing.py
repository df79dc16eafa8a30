"""The end of stacked runs: each is tested and reported, in several processes where that is safe."""

import multiprocessing
import os
from collections.abc import Sequence
from pathlib import Path

from firstlight.log import logger
from firstlight.training.stacked.replica import Replica
from firstlight.training.worker import record_early_end

_THREADS = Path("/proc/self/task")  # of this process, on Linux
_MOST_PROCESSES = 4


def finish_all(replicas: Sequence[Replica]) -> None:
    """Test the best checkpoint of each replica, and report. One that fails is recorded as failed; the others go on.

    Drawing the figures takes longer than training a small network. A process with one thread can be forked, and its
    children draw on all cores. A GPU cannot be used after a fork, and threads do not survive it.

    Raises:
        ChildProcessError: a process was killed.
    """
    for replica in replicas[1:]:  # the networks differ in their weights alone
        replica.trainee.flops = replicas[0].trainee.flops
    number = min(_num_processes(replicas[0]), len(replicas))
    if number < 2:
        _finish(replicas)
        return
    context = multiprocessing.get_context("fork")
    parts = [replicas[place::number] for place in range(number)]
    processes = [context.Process(target=_finish, args=(part,), daemon=True) for part in parts]
    try:
        for process in processes:
            process.start()
        for process in processes:
            process.join()
    finally:  # a signal has stopped the runs
        for process in processes:
            if process.is_alive():
                process.terminate()
    if codes := [process.exitcode for process in processes if process.exitcode]:
        raise ChildProcessError(f"a process that tests and reports stacked runs ended with exit code {codes[0]}")


def _num_processes(replica: Replica) -> int:
    is_on_cpu = replica.task.device.type == "cpu"
    has_one_thread = _THREADS.is_dir() and len(list(_THREADS.iterdir())) == 1
    may_fork = is_on_cpu and has_one_thread and not multiprocessing.current_process().daemon
    return min(len(os.sched_getaffinity(0)), _MOST_PROCESSES) if may_fork else 1


def _finish(replicas: Sequence[Replica]) -> None:
    for replica in replicas:
        try:
            replica.finish()
        except Exception as error:  # the other runs are complete
            with replica.log():
                logger.debug("the run failed", exc_info=True)
            record_early_end(replica.folder, error, replica.session.started)
