"""The best validation accuracy that TPE with the median pruner finds, compared with random search of as many epochs.

uv run scripts/benchmarks/search.py DATA [TRIALS] [SEEDS]

DATA is the folder with the sign language alphabet. Both search the learning rate, the weight decay and the width of an
MLP, two jobs at a time. Random search trains complete runs until it has used the epochs of TPE, rounded up.
"""

import csv
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import fmean

TRAIN = Path(__file__).resolve().parents[1] / "train.py"
EPOCHS = 12
COMMON = (
    *("-m", "data=asl", "model=mlp", f"trainer.max_epochs={EPOCHS}", "monitor=val/accuracy"),
    *("sweep.metric=val/accuracy", "sweep.jobs=2", "trainer.accelerator=cpu", "logger=none"),
)
SPACE = (
    "optimizer.lr=tag(log,interval(1e-5,1e-1))",
    "optimizer.weight_decay=tag(log,interval(1e-5,1))",
    "model.hidden_sizes.0=int(interval(16,512))",
)


def search(folder: Path, data: str, *words: str) -> tuple[float, int, int]:
    """Return the best validation accuracy of a sweep, its epochs, and how many of its runs were pruned.

    Raises:
        CalledProcessError: the sweep has failed.
    """
    command = [sys.executable, str(TRAIN), *COMMON, *SPACE, f"data.dir={data}", f"hydra.sweep.dir={folder}", *words]
    subprocess.run(command, check=True, capture_output=True)
    with (folder / "summary.csv").open() as file:
        runs = list(csv.DictReader(file))
    epochs = sum(num_epochs(Path(run["run_dir"]) / "metrics.csv") for run in runs)
    return max(float(run["val/accuracy"]) for run in runs), epochs, sum(run["status"] == "pruned" for run in runs)


def num_epochs(metrics: Path) -> int:
    """Return the number of epochs that a run has trained."""
    with metrics.open() as file:
        return len({row["epoch"] for row in csv.DictReader(file)})


def main() -> None:
    """Print both for each seed, and their means."""
    data = str(Path(sys.argv[1]).resolve())
    trials, seeds = (int(number) for number in (*sys.argv[2:], "40", "3")[:2])
    found: dict[str, list[float]] = {"tpe": [], "random": []}
    for seed in range(1, seeds + 1):
        with tempfile.TemporaryDirectory() as name:
            folder, words = Path(name), (f"seed={seed}", f"sweep.seed={seed}")
            tpe = search(
                folder / "tpe", data, *words, "sweep.method=tpe", "sweep.pruner=median", f"sweep.trials={trials}"
            )
            as_many = -(-tpe[1] // EPOCHS)
            random = search(folder / "random", data, *words, "sweep.method=random", f"sweep.trials={as_many}")
        print(f"seed {seed}  tpe {tpe[0]:.4f}, {trials} runs, {tpe[2]} pruned, {tpe[1]} epochs", end="")
        print(f"   random {random[0]:.4f}, {as_many} runs, {random[1]} epochs", flush=True)
        found["tpe"].append(tpe[0])
        found["random"].append(random[0])
    print("   ".join(f"{method} mean {fmean(values):.4f}" for method, values in found.items()))


if __name__ == "__main__":
    main()
