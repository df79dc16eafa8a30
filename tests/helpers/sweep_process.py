"""A process that sweeps: `python -m helpers.sweep_process FOLDER WORDS...`. Its jobs compute nothing.

It begins once another process with another folder beside this one is ready, so that both begin at the same time.
"""

import sys
import time
from pathlib import Path
from typing import Any

from firstlight.runs.sweeps import Job
from firstlight.training.sweeps import loop, run, search
from firstlight.training.sweeps.checking import Checked
from firstlight.training.sweeps.composing import compose_job

NUM_PROCESSES = 2
CONFIG = {"trainer": {"max_epochs": 1, "accelerator": "cpu"}}


def main(folder: Path, words: list[str]) -> None:
    """Run a sweep, whose jobs are neither checked nor composed."""
    assert search  # imports Optuna before the start
    run.check_jobs = lambda *_, **__: Checked((), {"": "min"}, {0: CONFIG})
    loop.compose_job = lambda words: CONFIG
    compose_job([])
    folder.with_suffix(".ready").touch()
    while len(list(folder.parent.glob("*.ready"))) < NUM_PROCESSES:
        time.sleep(0.001)
    run.run_words(words, folder, work)


def work(job: Job) -> dict[str, Any]:
    """Take as long as it takes the other process to claim a trial."""
    time.sleep(0.02)
    return {"status": "completed", "monitor": "val/loss", "monitor_mode": "min", "val/loss": float(job.number)}


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
