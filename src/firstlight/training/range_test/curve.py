"""What a range test finds: the loss at each learning rate, and the learning rate that it suggests."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

_WIDTH = 2.0  # steps; standard deviation of the bell curve that smooths the losses


@dataclass(frozen=True)
class Curve:
    """The losses of a range test.

    Attributes:
        lrs: the learning rates, each larger than the one before.
        losses: the loss of the batch of each learning rate, before its step.
    """

    lrs: Sequence[float]
    losses: Sequence[float]

    @property
    def smoothed(self) -> np.ndarray:
        """The losses (steps,), each averaged with its neighbours on both sides, so that the curve is not shifted."""
        places = np.arange(len(self.losses))
        weights = np.exp(-((places[:, None] - places) ** 2) / (2 * _WIDTH**2))
        return weights @ np.asarray(self.losses) / weights.sum(1)

    @property
    def suggestion(self) -> float | None:
        """The learning rate where the smoothed loss falls most steeply, as fast.ai and Lightning suggest it.

        The slope is that over the logarithm of the learning rate, before the lowest loss. Rounded to two digits; None
        if the loss never falls.
        """
        if len(self.losses) < 2:
            return None
        slopes = np.gradient(self.smoothed, np.log(self.lrs))[: int(self.smoothed.argmin()) + 1]
        return float(f"{self.lrs[int(slopes.argmin())]:.2g}") if slopes.min() < 0 else None

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the curve of a file with the content of `as_csv`."""
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        return cls([float(row["lr"]) for row in rows], [float(row["loss"]) for row in rows])

    def as_csv(self) -> str:
        """Return a table of the columns `lr`, `loss` and `smoothed`."""
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerow(["lr", "loss", "smoothed"])
        writer.writerows(zip(self.lrs, self.losses, self.smoothed.tolist(), strict=True))
        return text.getvalue()
