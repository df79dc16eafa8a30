"""Points on a straight line: the smallest data that anything can be learned from."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from firstlight.data.source import Source
from firstlight.data.store import Arrays
from firstlight.randomness import generator
from firstlight.spec import DataSpec


class Line(Source):
    """y = slope * x + intercept + noise, for x between -1 and 1; or points that the config holds.

    Nothing is standardised, so that a linear network's weight and bias are slope and intercept themselves.
    `configs/model/linear.yaml` takes `start` from here.

    Args:
        dir: of the store.
        slope: of the line.
        intercept: where the line crosses x = 0.
        noise: standard deviation of what is added to y.
        num_points: points in each of the splits, which are drawn apart from each other.
        split_seed: of the points.
        points: pairs of x and y, such as [[1, 3], [2, 5]], in place of all that; they are train, val and test alike.
        start: slope and intercept from which a linear network sets out; the points have nothing to do with it.
        batch_size: as for every source.

    Raises:
        ValueError: an argument is out of its range.
    """

    name = "line"

    def __init__(
        self,
        dir: str,
        *,
        slope: float = 2.0,
        intercept: float = 1.0,
        noise: float = 0.1,
        num_points: int = 256,
        split_seed: int = 0,
        points: Sequence[Sequence[float]] | None = None,
        start: Sequence[float] | None = None,
        batch_size: int = 32,
    ) -> None:
        super().__init__(dir, batch_size=batch_size)
        if num_points < 1:
            raise ValueError(f"data.num_points={num_points}: one point or more.")
        if not noise >= 0:
            raise ValueError(f"data.noise={noise}: a standard deviation is 0 or larger.")
        if points is not None and not (points and all(len(point) == 2 for point in points)):
            raise ValueError(f"data.points={points}: pairs of x and y, such as [[1, 3], [2, 5]].")
        with np.errstate(over="ignore"):
            numbers = np.array([slope, intercept, noise, *np.ravel(points or [])], dtype=np.float32)
        if not np.isfinite(numbers).all():
            raise ValueError(
                "data: a slope, an intercept, a noise and points are finite numbers that float32 can hold."
            )
        self.slope = slope
        self.intercept = intercept
        self.noise = noise
        self.num_points = num_points
        self.split_seed = split_seed
        self.points = points
        self.options = {
            "slope": slope,
            "intercept": intercept,
            "noise": noise,
            "num_points": num_points,
            "split_seed": split_seed,
            "points": points,
        }

    def files(self) -> list[Any]:
        """None: the config tells all."""
        return []

    def read(self) -> tuple[tuple[str, ...], dict[str, Arrays]]:
        """x and y, (points, 1) each."""
        return ("y",), {split: self._points(split) for split in ("train", "val", "test")}

    def describe(self, labels: tuple[str, ...], train: Arrays) -> DataSpec:
        """Mean 0 and deviation 1, whatever the points: they stay as they are."""
        return DataSpec((1,), 1, labels, (0.0,), (1.0,), target_mean=(0.0,), target_std=(1.0,))

    def _points(self, split: str) -> Arrays:
        if self.points is not None:
            table = np.array(self.points, dtype=np.float32)
            return Arrays(table[:, :1], table[:, 1:])
        random = generator(self.split_seed, "line", split)
        x = 2 * torch.rand(self.num_points, 1, generator=random) - 1
        y = self.slope * x + self.intercept + self.noise * torch.randn(self.num_points, 1, generator=random)
        return Arrays(x.numpy(), y.numpy())
