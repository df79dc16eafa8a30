"""Compare the time of an MNIST epoch, with Lightning and all metrics, with that of a plain PyTorch loop.

    uv run scripts/benchmarks/epoch.py [lenet|mlp|linear] [data.dir=... data.batch_size=...]

Both read the same arrays. They are timed alternately in several rounds; the best times are compared.
"""

import sys
import tempfile
import time

import torch
from torch.nn import functional as F

from firstlight.config import RunConfig
from firstlight.data import BatchLoader
from firstlight.tasks.build import build_source, build_task
from firstlight.training.environment import keep_freed_memory, silence_lightning, speed_up_cuda_checks
from firstlight.training.module import TrainingModule
from firstlight.training.trainer import build_trainer

ROUNDS = 5
NO_VALIDATION = ("monitor=train/loss", "+trainer.limit_val_batches=0")


def main() -> None:
    """Print both times and their ratio."""
    silence_lightning()
    speed_up_cuda_checks()
    keep_freed_memory()
    model = sys.argv[1] if len(sys.argv) > 1 else "mlp"
    config = RunConfig.from_overrides(
        "data=mnist", f"model={model}", "trainer.max_epochs=1", *NO_VALIDATION, *sys.argv[2:]
    )
    device = "cuda" if torch.cuda.is_available() else "cpu"
    source = build_source(config)
    store, splits = source.splits(config.seed)
    times: dict[str, list[float]] = {"plain loop": [], "firstlight": []}
    for _ in range(ROUNDS):
        task = build_task(config, store.spec).to(device)
        loader = BatchLoader(splits["train"], source.batch_size, seed=1, device=device)
        optimizer = torch.optim.AdamW(task.network.parameters(), lr=config.optimizer["lr"], fused=True)
        started = time.perf_counter()
        for raw, targets in loader:
            loss = F.cross_entropy(task.network(task.preprocess(raw)), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        loss.item()  # waits for the device
        times["plain loop"].append(time.perf_counter() - started)

        task = build_task(config, store.spec)
        with tempfile.TemporaryDirectory() as folder:
            trainer = build_trainer(config.with_trainer(default_root_dir=folder), task)
            started = time.perf_counter()
            module = TrainingModule(task, config)
            module.train_loader = BatchLoader(splits["train"], source.batch_size, seed=1, device=device)
            trainer.fit(module, module.train_loader, BatchLoader(splits["val"], 1))
            times["firstlight"].append(time.perf_counter() - started)
    best = {name: min(seconds) for name, seconds in times.items()}
    for name, seconds in best.items():
        print(f"{name:12} {seconds:6.2f} s  {len(splits['train']) / seconds:10,.0f} samples/s")
    print(f"{'ratio':12} {best['firstlight'] / best['plain loop']:6.2f}")


if __name__ == "__main__":
    main()
