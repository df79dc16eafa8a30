"""Runs: short ones, stopped ones, and what is in their folders."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import torch

REPOSITORY = Path(__file__).resolve().parents[2]
TINY = ["model=linear", "trainer.max_epochs=2", "trainer.accelerator=cpu"]


def weights(folder: Path, checkpoint: str = "best") -> dict[str, torch.Tensor]:
    return torch.load(folder / "checkpoints" / f"{checkpoint}.ckpt", weights_only=True)["state_dict"]


def same_weights(one: Path, other: Path, checkpoint: str = "best") -> bool:
    a, b = weights(one, checkpoint), weights(other, checkpoint)
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def history(folder: Path) -> list[dict[str, str]]:
    """The rows of metrics.csv, without their times."""
    with (folder / "metrics.csv").open(newline="") as file:
        return [{key: value for key, value in row.items() if key != "seconds"} for row in csv.DictReader(file)]


def stop(
    cwd: Path, folder: str, arguments: list[str], after_epochs: int, number: signal.Signals = signal.SIGKILL
) -> subprocess.CompletedProcess[str]:
    """Run train.py in `cwd`, and send it a signal when the metrics.csv in the folder has so many rows."""
    command = [sys.executable, str(REPOSITORY / "scripts" / "train.py"), *arguments]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, cwd=cwd
    )
    history_path = cwd / folder / "metrics.csv"
    while not history_path.exists() or len(history_path.read_text().splitlines()) <= after_epochs:
        assert process.poll() is None, "it ended before it could be stopped"
        time.sleep(0.01)
    os.killpg(process.pid, number)  # as a terminal does: all processes of the run get it
    out, err = process.communicate()
    return subprocess.CompletedProcess(command, process.returncode, out, err)
