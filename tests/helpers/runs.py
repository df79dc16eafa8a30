"""Short runs, stopped runs, and the content of their folders."""

import csv
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

REPOSITORY = Path(__file__).resolve().parents[2]
TINY = ["model=linear", "trainer.max_epochs=2", "trainer.accelerator=cpu"]


def weights(folder: Path, checkpoint: str = "best") -> dict[str, torch.Tensor]:
    """Return the weights in a checkpoint of a run folder."""
    return torch.load(folder / "checkpoints" / f"{checkpoint}.ckpt", weights_only=True)["state_dict"]


def same_weights(one: Path, other: Path, checkpoint: str = "best") -> bool:
    """Return whether the checkpoints of two run folders hold the same weights, bit for bit."""
    a, b = weights(one, checkpoint), weights(other, checkpoint)
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def history(folder: Path) -> list[dict[str, str]]:
    """Return the rows of metrics.csv, without their times."""
    with (folder / "metrics.csv").open(newline="") as file:
        return [{key: value for key, value in row.items() if key != "seconds"} for row in csv.DictReader(file)]


def stop(
    cwd: Path, folder: str, arguments: list[str], after_epochs: int, number: signal.Signals = signal.SIGKILL
) -> subprocess.CompletedProcess[str]:
    """Run train.py, and send a signal to its processes as soon as the run has trained some epochs.

    Args:
        cwd: the working directory.
        folder: the run folder, relative to `cwd`.
        arguments: the arguments of train.py.
        after_epochs: the rows of metrics.csv to wait for.
        number: the signal.
    """
    command = [sys.executable, str(REPOSITORY / "scripts" / "train.py"), *arguments]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, cwd=cwd
    )
    history_path = cwd / folder / "metrics.csv"
    while not history_path.exists() or len(history_path.read_text().splitlines()) <= after_epochs:
        assert process.poll() is None, "the run has ended before it could be stopped"
        time.sleep(0.01)
    os.killpg(process.pid, number)  # all processes of the run receive it, as from a terminal
    out, err = process.communicate()
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def forbid_network(patch: pytest.MonkeyPatch) -> None:
    """Let connections to other machines raise an OSError."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise OSError(f"a test tried to reach {address}")
        connect(self, address)

    patch.setattr(socket.socket, "connect", guarded)
    patch.setenv("NO_PROXY", "127.0.0.1")
