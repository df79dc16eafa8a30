import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from test_run import history, same_weights

from conftest import REPOSITORY
from firstlight.config import compose
from firstlight.run import train


def start_and_kill(folder: Path, overrides: list[str], after_epochs: int) -> None:
    """Train in a process of its own, and kill it when metrics.csv has so many rows."""
    command = [sys.executable, str(REPOSITORY / "scripts" / "train.py"), *overrides, f"run_dir={folder}"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    history_path = folder / "metrics.csv"
    while not history_path.exists() or len(history_path.read_text().splitlines()) <= after_epochs:
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.parametrize(
    "options",
    [
        ["model=mlp"],
        ["model=linear", "scheduler=plateau", "scheduler.patience=0", "optimizer=sgd", "trainer.max_steps=1000"],
    ],
)
def test_a_killed_run_goes_on_and_ends_as_if_nothing_had_happened(options: list[str], tmp_path: Path) -> None:
    overrides = [*options, "trainer.max_epochs=30", "trainer.accelerator=cpu"]
    train(compose(*overrides), run_dir=tmp_path / "whole")
    start_and_kill(tmp_path / "killed", overrides, after_epochs=2)
    assert len(history(tmp_path / "killed")) < 30
    metrics = train(compose(f"resume={tmp_path / 'killed'}"))
    assert metrics["status"] == "completed"
    assert history(tmp_path / "whole") == history(tmp_path / "killed")
    for checkpoint in ("best", "last"):
        assert same_weights(tmp_path / "whole", tmp_path / "killed", checkpoint)


def test_a_complete_run_is_not_trained_again(trained_run: Path) -> None:
    with pytest.raises(ValueError, match="is complete"):
        train(compose(f"resume={trained_run}"))


def test_a_folder_that_is_no_run_cannot_be_resumed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"resume=.*no run folder"):
        train(compose(f"resume={tmp_path}"))


def test_a_run_folder_is_never_taken_for_a_new_run(trained_run: Path) -> None:
    before = (trained_run / "metrics.json").read_bytes()
    with pytest.raises(ValueError, match="there is a run already"):
        train(compose(f"run_dir={trained_run}"))
    assert (trained_run / "metrics.json").read_bytes() == before
