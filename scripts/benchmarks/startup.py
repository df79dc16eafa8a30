"""Seconds until a command has done its first useful thing, compared with the seconds that Python takes for imports.

uv run scripts/benchmarks/startup.py

The commands run in turn, round after round, and the best time of each is compared. "first step" is the time from the
start of the process to the end of the first training step: the time until `firstlight.commands.train` is imported, and
the time from then on that the run reports as `seconds/to_first_step`.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from PIL import Image

ROUNDS = 5
SCRIPTS = Path(__file__).resolve().parents[1]
# Prints from when on the run counts its seconds, and trains.
STARTED = "from firstlight.commands import train; print(train._STARTED); train.main()"
PACKAGES = "import torch, torchvision, torchmetrics, lightning, hydra"


def seconds(*arguments: str) -> float:
    """Return the time of a Python process."""
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=False, capture_output=True)
    return time.perf_counter() - started


def script(name: str, *words: str) -> Callable[[], float]:
    """Return a function that times one of the commands."""
    return lambda: seconds(str(SCRIPTS / f"{name}.py"), *words)


def first_step(folder: Path) -> float:
    """Return the time to the first training step on digits."""
    run = folder / f"run-{time.time_ns()}"
    arguments = ("trainer.max_epochs=1", "trainer.accelerator=cpu", f"run_dir={run}")
    started = time.perf_counter()  # a clock common to all processes
    done = subprocess.run([sys.executable, "-c", STARTED, *arguments], check=True, capture_output=True, text=True)
    counted_from = float(done.stdout.split()[0])
    return counted_from - started + json.loads((run / "metrics.json").read_text())["seconds/to_first_step"]


def main() -> None:
    """Print the best time of each command and its ratio to the imports."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        Image.new("L", (8, 8)).save(folder / "image.png")
        run = folder / "run"
        script("train", "trainer.max_epochs=1", "trainer.accelerator=cpu", f"run_dir={run}")()
        commands: dict[str, Callable[[], float]] = {
            "import torch": lambda: seconds("-c", "import torch"),
            PACKAGES: lambda: seconds("-c", PACKAGES),
            "train.py to the first step": lambda: first_step(folder),
            "predict.py of one image": script("predict", f"run={run}", f"input={folder / 'image.png'}"),
            "evaluate.py": script("evaluate", f"run={run}"),
            "train.py --help": script("train", "--help"),
            "train.py --cfg job": script("train", "--cfg", "job"),
            "train.py modle=mlp": script("train", "modle=mlp"),
            "train.py +trainer.max_epoch=3": script("train", "+trainer.max_epoch=3"),
        }
        times: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(ROUNDS):
            for name, command in commands.items():
                times[name].append(command())
    best = {name: min(found) for name, found in times.items()}
    print(f"{'':60} seconds  of all imports  of import torch")
    for name, value in best.items():
        print(f"{name:60} {value:7.2f} {value / best[PACKAGES]:15.2f} {value / best['import torch']:16.2f}")


if __name__ == "__main__":
    main()
