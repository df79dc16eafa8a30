"""A sweep whose process is killed, with jobs that really train."""

import csv
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from firstlight.runs.sweeps import SweepFolder
from helpers.runs import REPOSITORY, TINY

IN_ORDER = [*TINY, "figures=false", "sweep.jobs=1"]
TPE = [*IN_ORDER, "optimizer.lr=tag(log,interval(1e-3,3e-2))", "sweep.method=tpe", "sweep.trials=5"]


def sweep(cwd: Path, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(REPOSITORY / "scripts" / "train.py"), "-m", *words]
    return subprocess.Popen(command, cwd=cwd, start_new_session=True, text=True, stdout=subprocess.DEVNULL)


def rows(path: Path) -> list[list[str]]:
    names = ("rank", "job", "status", "optimizer.lr", "val/loss", "test/accuracy")
    with (path / "summary.csv").open(newline="") as file:
        return [[row[name] for name in names] for row in csv.DictReader(file)]


def untouched(path: Path) -> dict[str, float]:
    return {str(file): file.stat().st_mtime_ns for job in "012" for file in (path / job).rglob("*") if file.is_file()}


@pytest.mark.slow
def test_a_killed_sweep_goes_on_and_ends_as_an_undisturbed_one(tmp_path: Path) -> None:
    longer = [*TPE, "trainer.max_epochs=12"]
    assert sweep(tmp_path, *longer, "hydra.sweep.dir=whole").wait() == 0
    process = sweep(tmp_path, *longer, "hydra.sweep.dir=killed")
    history = tmp_path / "killed" / "3" / "metrics.csv"
    while not history.exists() or len(history.read_text().splitlines()) < 4:
        assert process.poll() is None
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    time.sleep(1)  # its jobs end with it
    epochs = len(history.read_text().splitlines()) - 1
    assert epochs < 12
    before = untouched(tmp_path / "killed")
    assert sweep(tmp_path, "resume=killed").wait() == 0
    assert untouched(tmp_path / "killed") == before
    assert rows(tmp_path / "killed") == rows(tmp_path / "whole")
    log = (tmp_path / "killed" / "3" / "train.log").read_text()
    assert len(re.findall(r"epoch +1/12", log)) == 1  # it did not begin anew
    assert [record.number for record in SweepFolder.read(tmp_path / "killed").jobs] == list(range(5))
