"""Compare the time of 32 seeds of the MLP that are trained at once with that of one seed alone.

    uv run scripts/benchmarks/stacked.py [word ...]

Both train in this process, in turn, for several rounds, without loggers and figures; the words change the config of
both. The best times are compared: those of the training (`seconds/fit`), and of the whole run, with data, test and
files. The aim is a ratio of at most 4, where 32 runs one after the other have 32.
"""

import sys
import tempfile
import time
from pathlib import Path

from firstlight.config import RunConfig
from firstlight.training.run import train
from firstlight.training.stacked import train_stacked

NUMBER, ROUNDS = 32, 3
WORDS = ("data=digits", "model=mlp", "logger=none", "figures=false")


def seconds_of(configs: list[RunConfig], folder: Path) -> tuple[float, float]:
    """Return the seconds of the training, and of all."""
    started = time.perf_counter()
    folders = [folder / str(place) for place in range(len(configs))]
    found = train(configs[0], folders[0]) if len(configs) == 1 else train_stacked(configs, folders)[0]
    return found["seconds/fit"], time.perf_counter() - started


def main() -> None:
    """Print the times and their ratios."""
    configs = [RunConfig.from_overrides(*WORDS, *sys.argv[1:], f"seed={seed}") for seed in range(1, NUMBER + 1)]
    best = {1: (float("inf"),) * 2, NUMBER: (float("inf"),) * 2}
    with tempfile.TemporaryDirectory() as folder:
        train(configs[0], Path(folder) / "warm")  # the first run imports
        for turn in range(ROUNDS):
            for number in best:
                found = seconds_of(configs[:number], Path(folder) / f"{number}-{turn}")
                best[number] = min(best[number][0], found[0]), min(best[number][1], found[1])
    for place, name in enumerate(("training", "whole run")):
        alone, together = best[1][place], best[NUMBER][place]
        print(f"{name:10}  one {alone:.2f} s  {NUMBER} stacked {together:.2f} s  ratio {together / alone:.1f}")


if __name__ == "__main__":
    main()
