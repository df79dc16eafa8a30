"""Sweepers and launchers of other people get the monitored values, and the exit status says if a job failed."""

import csv
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.runs import TINY

Script = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.slow
def test_joblib_runs_the_jobs_in_processes_of_its_own(script: Script, tmp_path: Path) -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    words = ["hydra/sweeper=basic", "hydra/launcher=joblib", "hydra.sweep.dir=sweep", "trainer.max_epochs=1"]
    process = script("train", "-m", *TINY, *words, "optimizer.lr=1e-2,fast")
    assert process.returncode == 1
    assert "optimizer.lr=fast: must be a number (AdamW)." in process.stderr
    with (tmp_path / "sweep" / "summary.csv").open(newline="") as file:
        good, bad = csv.DictReader(file)
    assert (good["job"], good["status"], bad["job"], bad["status"]) == ("0", "completed", "1", "failed")
