"""Samples of the test split, for a click and for the size of drawings."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from firstlight.runs import RunFolder
from firstlight.spec import DataSpec
from firstlight.tasks.build import build_source

_NUMBER = 200  # that are read, evenly from the whole split
_SHOWN = 12


@dataclass(frozen=True)
class Examples:
    """Raw samples of the test split.

    Attributes:
        raw: (samples, ...), as `Split` has them.
        targets: (samples, ...): the class of each sample, or its target numbers.
    """

    raw: np.ndarray
    targets: np.ndarray

    @classmethod
    def of(cls, folder: RunFolder, spec: DataSpec, trust: bool = False) -> "Examples":
        """Return samples of a run's data; none if it is not here any more, or has never been stored here.

        Args:
            folder: the run.
            spec: the data that the network was trained on.
            trust: see `RunFolder.config`.
        """
        nothing = cls(np.zeros((0, *spec.stored_shape), np.uint8), np.zeros(0, np.int64))
        try:
            config = folder.config(trust)
            source = build_source(config)
            if not any(source.cache_dir.glob(f"{source.name}-*")):
                return nothing  # nothing is downloaded for examples
            test = source.splits(config.seed)[1]["test"]
        except (ValueError, OSError):
            return nothing
        raw, targets = test.take(torch.arange(0, len(test), max(1, -(-len(test) // _NUMBER))))
        fits = spec.kind == "tokens" or tuple(raw.shape[1:]) == spec.stored_shape
        return cls(raw.numpy(), targets.numpy()) if fits else nothing

    def shown(self) -> list[int]:
        """Return the places of the samples to show: of different classes, as far as there are enough."""
        if self.targets.ndim != 1 or self.targets.dtype.kind != "i":
            return list(range(min(_SHOWN, len(self.raw))))
        order = np.argsort(_occurrence(self.targets), kind="stable")
        return sorted(order[:_SHOWN].tolist(), key=lambda place: int(self.targets[place]))

    def write_images(self, folder: Path) -> list[str]:
        """Write the images to show as PNG files, and return their paths."""
        paths = []
        for number, place in enumerate(self.shown()):
            pixels = self.raw[place]
            path = folder / f"example_{number:02}.png"
            Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)).save(path)
            paths.append(str(path))
        return paths


def _occurrence(classes: np.ndarray) -> np.ndarray:
    """Return for each entry how many equal ones come before it: (samples,)."""
    counts: dict[int, int] = {}
    found = []
    for value in classes.tolist():
        found.append(counts.get(value, 0))
        counts[value] = found[-1] + 1
    return np.array(found, dtype=np.int64)
