"""The time of `train.py -m` with twelve jobs, compared with twelve processes of train.py, one after another.

uv run scripts/benchmarks/sweep.py [JOBS]

JOBS is the number of jobs that run at a time, by default that of `sweep.jobs=null`. Half of the processes run before
the sweep and half after it, so that a machine which becomes slower or faster does not change the ratio.
"""

import csv
import itertools
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TRAIN = Path(__file__).resolve().parents[1] / "train.py"
CHOICES = {"model": ("linear", "mlp", "lenet"), "optimizer.lr": ("1e-2", "1e-3"), "seed": ("1", "2")}
COMMON = ("trainer.max_epochs=2", "trainer.accelerator=cpu")


def seconds_of(*words: str) -> float:
    """Return the seconds of a process of train.py.

    Raises:
        CalledProcessError: it has failed.
    """
    started = time.perf_counter()
    subprocess.run([sys.executable, str(TRAIN), *COMMON, *words], check=True, capture_output=True)
    return time.perf_counter() - started


def job_seconds(summary: Path) -> list[float]:
    """Return the seconds of each job of a sweep, of which all must have completed."""
    with summary.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["status"] for row in rows] == ["completed"] * 12, rows
    return [float(row["seconds/total"]) for row in rows]


def main() -> None:
    """Print the seconds of both, and their ratio."""
    jobs = [f"sweep.jobs={sys.argv[1]}"] if len(sys.argv) > 1 else []
    combinations = [
        [f"{key}={value}" for key, value in zip(CHOICES, values, strict=True)]
        for values in itertools.product(*CHOICES.values())
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seconds_of(*combinations[0], f"run_dir={folder / 'first'}")  # stores the data
        alone = [seconds_of(*words, f"run_dir={folder / '-'.join(words)}") for words in combinations[:6]]
        several = [f"{key}={','.join(values)}" for key, values in CHOICES.items()]
        together = seconds_of("-m", *several, *jobs, f"hydra.sweep.dir={folder / 'sweep'}")
        alone += [
            seconds_of(*words, f"run_dir={folder / f'x{number}'}") for number, words in enumerate(combinations[6:])
        ]
        inside = job_seconds(folder / "sweep" / "summary.csv")
    print(f"twelve processes {sum(alone):.1f} s, {sum(alone) / 12:.1f} s each")
    print(f"one sweep {together:.1f} s; a job {sum(inside) / 12:.1f} s")
    print(f"ratio {together / sum(alone):.2f}")


if __name__ == "__main__":
    main()
