"""A data set."""

from typing import Any

import numpy as np

from firstlight.data import Source


class Gratings(Source):
    """Colour images in noise, whose class is the channel of the bright rows."""

    def __init__(self, dir: str, *, noise: int = 200, **common: Any) -> None:
        super().__init__(dir, **common)
        self.noise = noise
        self.options = {"noise": noise}

    def read(self) -> Any:
        """Return the names of the classes, and the arrays of two splits."""
        random = np.random.default_rng(0)
        targets = np.arange(240) % 3
        images = random.integers(0, self.noise, (240, 3, 8, 8), dtype=np.uint8)
        images[np.arange(240), targets, ::3] += 50
        return ("red", "green", "blue"), {"train": (images[:180], targets[:180]), "test": (images[180:], targets[180:])}
