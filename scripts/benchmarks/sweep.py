"""The time of a sweep of twelve jobs, compared with twelve processes of train.py, one after another.

uv run scripts/benchmarks/sweep.py [JOBS]

JOBS is the number of jobs that run at a time, 1 by default. Half of the processes run before the sweep and half after
it, so that a machine which becomes slower or faster does not change the ratio.
"""

import itertools
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from firstlight.config.compose import compose, to_plain
from firstlight.runs.sweeps import Ending, Job
from firstlight.training.sweeps.launch.local import local

TRAIN = Path(__file__).resolve().parents[1] / "train.py"
CHOICES = (
    ("model=linear", "model=mlp", "model=lenet"),
    ("optimizer.lr=1e-2", "optimizer.lr=1e-3"),
    ("seed=1", "seed=2"),
)
COMMON = ("trainer.max_epochs=2", "trainer.accelerator=cpu")


def separate(words: tuple[str, ...], folder: Path) -> float:
    """Return the seconds of a process that trains one run."""
    started = time.perf_counter()
    command = [sys.executable, str(TRAIN), *words, f"run_dir={folder}"]
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started


def sweep(combinations: Sequence[tuple[str, ...]], folder: Path, jobs: int) -> tuple[float, list[Ending]]:
    """Return the seconds of a sweep, from its beginning to the end of its last process, and how its jobs ended."""
    started = time.perf_counter()
    endings: list[Ending] = []
    with closing(local(jobs, uses_gpus=False)) as launcher:
        waiting = [
            Job(number, words, to_plain(compose(*words)), folder / str(number), folder / "logs" / f"{number}.log")
            for number, words in enumerate(combinations)
        ]
        for job in waiting[: launcher.slots]:
            launcher.start(job)
        del waiting[: launcher.slots]
        while len(endings) < len(combinations):
            for ending in launcher.wait():
                endings.append(ending)
                if waiting:
                    launcher.start(waiting.pop(0))
    return time.perf_counter() - started, endings


def main() -> None:
    """Print the seconds of both, and their ratio."""
    jobs = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    combinations = [(*words, *COMMON) for words in itertools.product(*CHOICES)]
    half = len(combinations) // 2
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        separate(combinations[0], folder / "first")  # stores the data
        before = [separate(words, folder / f"one-{number}") for number, words in enumerate(combinations[:half])]
        together, endings = sweep(combinations, folder / "sweep", jobs)
        after = [separate(words, folder / f"other-{number}") for number, words in enumerate(combinations[half:])]
    failed = [ending.cause for ending in endings if ending.state != "completed"]
    alone = sum(before) + sum(after)
    print(f"twelve processes {alone:.1f} s, {alone / 12:.1f} s each")
    print(f"one sweep, {jobs} at a time {together:.1f} s; a job {sum(e.seconds for e in endings) / 12:.1f} s")
    print(f"ratio {together / alone:.2f}" + "".join(f"\nfailed: {cause}" for cause in failed))


if __name__ == "__main__":
    main()
