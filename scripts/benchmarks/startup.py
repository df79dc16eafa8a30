"""Seconds until train.py has printed its help or told of a typo, against those that Python takes to import torch.

uv run scripts/benchmarks/startup.py

The commands are timed in turn, round after round, and the best of each is compared.
"""

import subprocess
import sys
import time
from pathlib import Path

ROUNDS = 5
TRAIN = str(Path(__file__).resolve().parents[1] / "train.py")
COMMANDS = {
    "import torch": ["-c", "import torch"],
    "train.py --help": [TRAIN, "--help"],
    "train.py --cfg job": [TRAIN, "--cfg", "job"],
    "train.py modle=mlp": [TRAIN, "modle=mlp"],
    "train.py +trainer.max_epoch=3": [TRAIN, "+trainer.max_epoch=3"],
}


def main() -> None:
    """Print the best time of each command and its ratio to the import of torch."""
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(ROUNDS):
        for name, arguments in COMMANDS.items():
            started = time.perf_counter()
            subprocess.run([sys.executable, *arguments], check=False, capture_output=True)
            times[name].append(time.perf_counter() - started)
    for name, seconds in times.items():
        print(f"{name:30} {min(seconds):6.2f} s  {min(seconds) / min(times['import torch']):5.2f}")


if __name__ == "__main__":
    main()
