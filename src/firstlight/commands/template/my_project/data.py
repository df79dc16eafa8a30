"""A data set."""

from pathlib import Path
from typing import Any

import numpy as np

from firstlight.data.source import Source
from firstlight.data.store import Arrays


class Stripes(Source):
    """Small grey images with stripes, across or down, in noise.

    Args:
        dir: the folder of the data set, here only of the arrays made from it.
        size: height and width of the images in pixels.
        common: the arguments of every data set, such as `batch_size`, see `Source`.
    """

    name = "stripes"

    def __init__(self, dir: str, *, size: int = 16, **common: Any) -> None:
        super().__init__(dir, **common)
        self.size = size
        self.options = {"size": size}  # the options that change the arrays

    def files(self) -> list[Path]:
        """Return the files that the arrays are made from. They are made again when one of these changes."""
        return [Path(__file__)]

    def read(self) -> tuple[tuple[str, ...], dict[str, Arrays]]:
        """Return the names of the classes, and the arrays of the splits. Validation is a part of `train`."""
        random = np.random.default_rng(0)
        targets = random.integers(0, 2, 600)
        images = random.integers(0, 200, (600, 1, self.size, self.size), dtype=np.uint8)  # (samples, channels, h, w)
        images[targets == 0, :, ::4] = 255
        images[targets == 1, :, :, ::4] = 255
        splits = {"train": Arrays(images[:500], targets[:500]), "test": Arrays(images[500:], targets[500:])}
        return ("across", "down"), splits
