"""Compare the time of 32 seeds of the MLP in a stacked sweep with that of one run.

    uv run scripts/benchmarks/stacked.py [word ...]

Both are whole processes of `train.py`, imports, checks, data, test and files included, and run in turn for several
rounds. The words change both. The smallest times are compared. The aim is a ratio of at most 4, where 32 runs one
after the other have 32. Drawing figures takes longer than training a network of this size: `figures=false logger=none`
leaves it out.
"""

import csv
import subprocess
import sys
import tempfile
import time
from pathlib import Path

NUMBER, ROUNDS = 32, 2
TRAIN = Path(__file__).resolve().parents[1] / "train.py"
COMMON = ("data=digits", "model=mlp", "trainer.accelerator=cpu")


def seconds_of(*words: str) -> float:
    """Return the seconds of a process of train.py.

    Raises:
        CalledProcessError: it has failed.
    """
    started = time.perf_counter()
    subprocess.run([sys.executable, str(TRAIN), *COMMON, *words], check=True, capture_output=True)
    return time.perf_counter() - started


def seconds_of_sweep(folder: Path, *words: str) -> float:
    """Return the seconds of the stacked sweep, all of whose runs must have completed."""
    several = ("-m", f"seed=range(1,{NUMBER + 1})", "sweep.stacked=true", f"hydra.sweep.dir={folder}")
    seconds = seconds_of(*several, *words)
    with (folder / "summary.csv").open() as file:
        states = [row["status"] for row in csv.DictReader(file)]
    assert states == ["completed"] * NUMBER, states
    return seconds


def main() -> None:
    """Print the times and their ratio."""
    words, alone, together = sys.argv[1:], [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seconds_of("seed=1", *words, f"run_dir={folder / 'first'}")  # stores the data
        for turn in range(ROUNDS):
            alone.append(seconds_of("seed=1", *words, f"run_dir={folder / f'alone{turn}'}"))
            together.append(seconds_of_sweep(folder / f"sweep{turn}", *words))
    one, all_of_them = min(alone), min(together)
    print(f"one run {one:.1f} s  {NUMBER} stacked {all_of_them:.1f} s  ratio {all_of_them / one:.1f}")


if __name__ == "__main__":
    main()
