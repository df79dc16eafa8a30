"""Several processes train one run: each reads the composed config from the run folder.

`python -m firstlight.training.launch RUN_DIR` is one of them. Lightning's process plugins find the others by the
environment variables that are set here; torchrun and Lightning's own conventions for several machines set
the same ones.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from firstlight.runs.run_folder import RunFolder

# Exit code of a process that refused its config: the reason is on the screen already.
REFUSED = 3
INTERRUPTED = 130  # what shells give for Ctrl-C


def is_inside() -> bool:
    """Whether some launcher, ours or another, has started this process as one of several."""
    return "LOCAL_RANK" in os.environ


def is_first_process() -> bool:
    """Whether this process is the one that writes files: the only one, or the first of several."""
    if "RANK" in os.environ:
        return int(os.environ["RANK"]) == 0
    return int(os.environ.get("LOCAL_RANK", 0)) == 0 and int(os.environ.get("NODE_RANK", 0)) == 0


def check_shared_folder(config: dict[str, Any], run_dir: str | Path | None) -> None:
    """Processes that are started apart from each other must be told one folder.

    Raises:
        ValueError: they are not.
    """
    if run_dir is None and (is_inside() or config["trainer"].get("num_nodes", 1) > 1):
        raise ValueError("Several processes or machines train one run: give them all the same run_dir=")


def num_processes(config: dict[str, Any]) -> int:
    """How many processes are to be started on this machine; 0 where this process trains itself."""
    if is_inside():
        return 0
    trainer = config["trainer"]
    devices = trainer.get("devices", "auto")
    if isinstance(devices, str) and "," in devices:
        devices = [part for part in devices.split(",") if part]
    if isinstance(devices, list):
        count = len(devices)
    elif str(devices) in ("auto", "-1"):
        count = _num_gpus() if trainer.get("accelerator", "auto") in ("auto", "gpu", "cuda") else 1
    else:
        count = int(devices)
    return count if count > 1 or trainer.get("num_nodes", 1) > 1 else 0


def _num_gpus() -> int:
    import torch

    return torch.cuda.device_count()


def launch(run_dir: Path, count: int) -> None:
    """Start `count` processes that train the run in `run_dir` together, and wait for them.

    Raises:
        ValueError: they refused the config; they have said why.
        RuntimeError: one of them failed; the others are ended then.
        KeyboardInterrupt: a signal ended them.
    """
    environment = dict(os.environ)
    environment.setdefault("MASTER_ADDR", "127.0.0.1")
    environment.setdefault("MASTER_PORT", str(_free_port()))
    environment.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // count)))
    command = [sys.executable, "-m", "firstlight.training.launch", str(run_dir)]
    processes = [subprocess.Popen(command, env=environment | {"LOCAL_RANK": str(rank)}) for rank in range(count)]
    try:
        while any(process.poll() is None for process in processes):
            if any(process.poll() for process in processes):
                break
            time.sleep(0.05)
    finally:
        _end(processes)
    codes = [process.returncode for process in processes]
    if INTERRUPTED in codes:
        raise KeyboardInterrupt
    if REFUSED in codes:
        raise ValueError(f"The run was refused by process {codes.index(REFUSED)}, for the reason above.")
    if any(codes):
        raise RuntimeError(
            f"of {count} processes one failed (exit codes {codes}); the cause is above, and in any train.log"
        )


def _end(processes: list[subprocess.Popen[bytes]]) -> None:
    """End those that still run: politely, then at once."""
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + 10
    for process in processes:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _worker(run_dir: str) -> int:
    from firstlight.config.compose import to_plain
    from firstlight.config.errors import explain
    from firstlight.training.run import run_here

    folder = RunFolder.open(run_dir)
    try:
        run_here(folder, to_plain(folder.config()), started=time.perf_counter())
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # whatever it is, it is told here: the parent sees the exit code alone
        print(explain(error), file=sys.stderr, flush=True)
        return REFUSED if isinstance(error, ValueError) else 1
    return 0


if __name__ == "__main__":
    sys.exit(_worker(sys.argv[1]))
