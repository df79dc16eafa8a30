"""Compare the time of a run with figures, in its folder and in TensorBoard, with that of a run without them.

    uv run scripts/benchmarks/figures.py [data.dir=... model=... trainer.max_epochs=...]

Each run is a process of its own, as a user starts it: the imports count. They are timed in turn for several rounds; the
best times are compared.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 3
_TRAIN = Path(__file__).resolve().parents[1] / "train.py"


def main() -> None:
    """Print both times and their ratio."""
    words = ["data=mnist", "model=lenet", *sys.argv[1:]]
    times: dict[str, list[float]] = {"false": [], "true": []}
    for _ in range(ROUNDS):
        for figures, seconds in times.items():
            with tempfile.TemporaryDirectory() as folder:
                command = [sys.executable, str(_TRAIN), *words, f"figures={figures}", f"run_dir={folder}/run"]
                started = time.perf_counter()
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
                seconds.append(time.perf_counter() - started)
    best = {name: min(seconds) for name, seconds in times.items()}
    for name, fastest in best.items():
        print(f"figures={name:6} {fastest:6.2f} s")
    print(f"{'ratio':14} {best['true'] / best['false']:6.3f}")


if __name__ == "__main__":
    main()
