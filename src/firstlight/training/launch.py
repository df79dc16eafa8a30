"""Start several processes that train one run together. Each reads the config from the run folder, see `worker`.

Lightning connects the processes through environment variables, which are set here. Other launchers, such as torchrun,
set the same variables.
"""

import os
import socket
import sys
from pathlib import Path

from firstlight.config import RunConfig
from firstlight.config.values import as_yaml
from firstlight.runs.command_line import passed_on
from firstlight.training.processes.supervise import supervise


def is_one_of_several() -> bool:
    """Return whether a launcher has started this process as one of several."""
    return "LOCAL_RANK" in os.environ


def is_first_process() -> bool:
    """Return whether this process writes the files of the run: the only process, or the first of several."""
    if "RANK" in os.environ:
        return int(os.environ["RANK"]) == 0
    return int(os.environ.get("LOCAL_RANK", 0)) == 0 and int(os.environ.get("NODE_RANK", 0)) == 0


def check_shared_folder(config: RunConfig, run_dir: str | Path | None) -> None:
    """Check that `run_dir` is set if another launcher or several machines start the processes of the run.

    Raises:
        ValueError: `run_dir` is not set, so each process would create its own run folder.
    """
    if run_dir is None and (is_one_of_several() or config.num_nodes > 1):
        raise ValueError("run_dir: must be set, to the same folder for all processes of the run.")


def check_range_test(config: RunConfig) -> None:
    """Check that a run with a range test is trained by one process.

    Raises:
        ValueError: it is trained by several.
    """
    if config.lr_find and (is_one_of_several() or num_processes(config)):
        key = f"lr_find={as_yaml(config.lr_find)}"
        raise ValueError(f"{key}: must be used with trainer.devices=1. Train on several devices afterwards.")


def num_processes(config: RunConfig) -> int:
    """Return the number of processes to start on this machine, or 0 if the current process trains the run."""
    if is_one_of_several():
        return 0
    devices = config.trainer.get("devices", "auto")
    if isinstance(devices, str) and "," in devices:
        devices = [part for part in devices.split(",") if part]
    if isinstance(devices, list):
        count = len(devices)
    elif str(devices) in ("auto", "-1"):
        count = _num_gpus() if config.trainer.get("accelerator", "auto") in ("auto", "gpu", "cuda") else 1
    else:
        count = int(devices)
    return count if count > 1 or config.num_nodes > 1 else 0


def _num_gpus() -> int:
    import torch

    return torch.cuda.device_count()


def launch(run_dir: Path, count: int) -> None:
    """Start processes that train one run together, and wait for them. If one fails, the others are ended.

    Args:
        run_dir: the run folder.
        count: the number of processes.

    Raises:
        ValueError: a process refused the run. The message is that of the process.
        ChildProcessError: a process failed for another reason, was killed, or was stopped for two minutes.
        KeyboardInterrupt: a signal stopped this process, which passes SIGTERM on to the others, or one of the others.
            The argument is the number of the signal.
    """
    environment = os.environ | passed_on()
    environment.setdefault("MASTER_ADDR", "127.0.0.1")
    environment.setdefault("MASTER_PORT", str(_free_port()))
    cores = environment.get("FIRSTLIGHT_CORES")  # of a job of a sweep, which has set the number of its own threads too
    if cores is not None:
        environment.pop("OMP_NUM_THREADS", None)
    environment.setdefault("OMP_NUM_THREADS", str(max(1, int(cores or os.cpu_count() or 1) // count)))
    # The processes import modules from where this one does; without -P, the working directory would come first.
    environment["PYTHONPATH"] = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
    command = [sys.executable, "-P", "-m", "firstlight.training.worker", str(run_dir)]
    supervise(command, [environment | {"LOCAL_RANK": str(rank)} for rank in range(count)])


def _free_port() -> int:
    """Return a port of this machine that no process listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
