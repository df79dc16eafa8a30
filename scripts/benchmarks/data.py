"""Compare the samples per second of our loader with those of DataLoader, for MNIST's training split.

    uv run scripts/benchmarks/data.py [data.dir=... data.batch_size=256]

All loaders return batches of pixels from 0 to 1. DataLoader reads torchvision's MNIST with ToTensor, with and without
worker processes, and a TensorDataset that holds the converted pixels. All of them shuffle; before, a check without
shuffling confirms that they return the same pixels. They are timed alternately, and the best epochs are compared.
"""

import sys
import time
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, TensorDataset
from torchvision.datasets import MNIST
from torchvision.transforms import ToTensor

from firstlight.config import RunConfig
from firstlight.data import BatchLoader, Split
from firstlight.tasks.build import build_source

ROUNDS = 5
Batches = Iterable[tuple[Tensor, Tensor]]


class Ours:
    """Our loader, with its uint8 pixels converted to float32 from 0 to 1."""

    def __init__(self, split: Split, batch_size: int, *, shuffle: bool) -> None:
        self.loader = BatchLoader(split, batch_size, seed=1 if shuffle else None)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for raw, targets in self.loader:
            yield raw / 255, targets


def loaders(split: Split, data_dir: str, batch_size: int, *, shuffle: bool) -> dict[str, Batches]:
    """Return our loader and the loaders that it is compared with."""
    images = MNIST(data_dir, transform=ToTensor())
    pixels = TensorDataset(split.inputs / 255, split.targets)

    def theirs(dataset: Dataset, num_workers: int = 0) -> Batches:
        return DataLoader(dataset, batch_size, shuffle=shuffle, num_workers=num_workers)

    return {
        "firstlight": Ours(split, batch_size, shuffle=shuffle),
        "torchvision": theirs(images),
        "torchvision, 2 workers": theirs(images, num_workers=2),
        "TensorDataset": theirs(pixels),
    }


def main() -> None:
    """Check that all loaders return the same pixels; print their samples per second and times relative to ours."""
    config = RunConfig.from_overrides("data=mnist", "data.batch_size=256", *sys.argv[1:])
    split, data_dir = build_source(config).store().splits["train"], config.data["dir"]
    batch_size = config.data["batch_size"]
    for batches in zip(*loaders(split, data_dir, batch_size, shuffle=False).values(), strict=True):
        (pixels, targets), *others = batches
        assert all(torch.equal(pixels, x) and torch.equal(targets, y) for x, y in others)

    shuffled = loaders(split, data_dir, batch_size, shuffle=True)
    times: dict[str, list[float]] = {name: [] for name in shuffled}
    for _ in range(ROUNDS):
        for name, loader in shuffled.items():
            started = time.perf_counter()
            num_samples = sum(len(targets) for _, targets in loader)
            times[name].append(time.perf_counter() - started)
            assert num_samples == len(split)
    best = {name: min(seconds) for name, seconds in times.items()}
    for name, seconds in best.items():
        print(f"{name:22} {len(split) / seconds:12,.0f} samples/s  {seconds / best['firstlight']:7.1f} x our time")


if __name__ == "__main__":
    main()
