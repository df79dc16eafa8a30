"""Jobs of a sweep that end in bad ways, through the real command."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest

from firstlight.runs.sweeps import SweepFolder
from firstlight.training.sweeps.launch.local import CAN_FORK
from helpers.projects import add_file
from helpers.runs import REPOSITORY, TINY

CALLBACK = '''
"""A callback that ends its run, in one of the ways in which a training may end."""

import os
import signal
import time

import torch
from lightning.pytorch import Callback


class Ends(Callback):
    """Lets a run end at its second epoch."""

    def __init__(self, *, how: str) -> None:
        self.how = how

    def on_train_epoch_start(self, trainer, pl_module) -> None:
        if trainer.current_epoch == 1:
            getattr(self, self.how, lambda _: None)(pl_module)

    def raises(self, module) -> None:
        raise RuntimeError("the camera is off")

    def exits(self, module) -> None:
        print("the last words", flush=True)
        os._exit(3)

    def is_killed(self, module) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def allocates(self, module) -> None:
        blocks = []
        while True:
            blocks.append(torch.zeros(2**24))

    def becomes_nan(self, module) -> None:
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.fill_(float("nan"))

    def hangs(self, module) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(999)
'''
GOOD = {f"good{number}": ("completed", "") for number in range(5)}
BAD = {
    "hangs": ("timeout", "timeout: longer than sweep.timeout=20"),
    "raises": ("failed", "the camera is off"),
    "exits": ("failed", "ended with exit code 3"),
    "is_killed": ("killed", "killed (SIGKILL)"),
    "allocates": ("out_of_memory", "out of memory (sweep.memory=2):"),
    "becomes_nan": ("diverged", "the training has diverged"),
}


def sweep(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(REPOSITORY / "scripts" / "train.py"), "-m", "hydra.sweep.dir=sweep", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.skipif(not CAN_FORK, reason="memory is limited on Linux only")
def test_the_others_go_on_when_jobs_fail_crash_hang_or_diverge(tmp_path: Path) -> None:
    (tmp_path / "configs").mkdir()
    add_file(tmp_path, "mine/ends.py", CALLBACK)
    ways = [*BAD, *GOOD]
    nodes = ",".join(f"[{{_target_:mine.ends.Ends,how:{how}}}]" for how in ways)
    limits = ["sweep.timeout=20", "sweep.memory=2", "sweep.jobs=2"]
    ended = sweep(tmp_path, *TINY, f"+trainer.callbacks={nodes}", "figures=false", *limits)
    assert ended.returncode == 1, ended.stdout + ended.stderr
    records = SweepFolder.read(tmp_path / "sweep").jobs
    for record, how in zip(records, ways, strict=True):
        state, cause = (BAD | GOOD)[how]
        assert (record.state, bool(record.cause)) == (state, bool(cause))
        assert cause in record.cause.splitlines()[0] if cause else True
    assert "the last words" in records[2].cause
    with (tmp_path / "sweep" / "summary.csv").open(newline="") as file:
        states = [row["status"] for row in csv.DictReader(file)]
    assert states[:6] == ["completed"] * 5 + ["diverged"]
    assert sorted(states[6:]) == sorted(state for state, _ in BAD.values() if state != "diverged")
    _, _, listed = ended.stdout.partition("\nwithout a result\n")
    for line, how in zip(listed.splitlines(), list(BAD)[:5], strict=False):
        assert f"how:{how}" in line
        assert BAD[how][1] in line
