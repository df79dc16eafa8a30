"""Compare the training time on cached features of a frozen backbone with that of a forward pass in every epoch.

    uv run scripts/benchmarks/transfer.py data.dir=DIR/doggy-door [trainer.max_epochs=5 model=... data=...]

Four times are taken alternately in two rounds, and the best of each are compared: a forward pass over all samples; a
training that computes the features; a training that reads them from disk, which is the time of the head alone; and a
training without the cache.
"""

import sys
import tempfile
import time
from pathlib import Path

import torch

from firstlight.config import RunConfig
from firstlight.data import BatchLoader, Split
from firstlight.tasks.build import build_source, build_task
from firstlight.training.environment import keep_freed_memory, silence_lightning, speed_up_cuda_checks
from firstlight.training.features import cached_features
from firstlight.training.module import TrainingModule
from firstlight.training.trainer import build_trainer

ROUNDS = 2


def main() -> None:
    """Print the four times, and the time to compute the features in units of a forward pass."""
    silence_lightning()
    speed_up_cuda_checks()
    keep_freed_memory()
    words = ("data=folder", "model=efficientnet_lite0", "model.freeze=backbone", "trainer.max_epochs=5")
    config = RunConfig.from_overrides(*words, *sys.argv[1:])
    source = build_source(config)
    store, splits = source.splits(config.seed)
    num_epochs = config.trainer["max_epochs"]

    def forward() -> float:
        task = build_task(config, store.spec)
        task.to(build_trainer(config, task).strategy.root_device).eval()
        started = time.perf_counter()
        with torch.inference_mode():
            for split in store.splits.values():
                for raw in split.inputs.split(32):
                    task.network(task.preprocess(raw.to(task.device))).cpu()
        return time.perf_counter() - started

    def training(cache_dir: Path | None) -> float:
        task = build_task(config, store.spec)
        with tempfile.TemporaryDirectory() as folder:
            trainer = build_trainer(config.with_trainer(default_root_dir=folder), task)
            module = TrainingModule(task, config)

            def loader(split: Split, seed: int | None = None) -> BatchLoader:
                return BatchLoader(split, source.batch_size, seed=seed, device=trainer.strategy.root_device)

            started = time.perf_counter()
            inputs = splits
            if cache_dir is not None:
                inputs = cached_features(task, store, splits, trainer, config, cache_dir)
            module.train_loader = loader(inputs["train"], config.seed)
            trainer.fit(module, module.train_loader, loader(inputs["val"]))
            trainer.test(module, loader(inputs["test"]), verbose=False)
            return time.perf_counter() - started

    times: dict[str, list[float]] = {"forward pass": [], "with features": [], "cached features": [], "without": []}
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as cache:
            times["forward pass"].append(forward())
            times["with features"].append(training(Path(cache)))
            times["cached features"].append(training(Path(cache)))
            times["without"].append(training(None))
    best = {name: min(seconds) for name, seconds in times.items()}
    print(f"{sum(map(len, store.splits.values())):,} samples, {num_epochs} epochs")
    for name, seconds in best.items():
        print(f"{name:15} {seconds:7.2f} s")
    passes = (best["with features"] - best["cached features"]) / best["forward pass"]
    print(f"{'features':15} {passes:7.2f} forward passes, without the time of the head")
    print(f"{'ratio':15} {best['without'] / best['with features']:7.1f}, without to with features")


if __name__ == "__main__":
    main()
