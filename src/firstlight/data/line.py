"""Points on a straight line: the smallest data set for regression."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch

from firstlight.checks import check_range
from firstlight.data.source import Source
from firstlight.data.store import Arrays
from firstlight.randomness import generator
from firstlight.spec import Column, DataSpec


class Line(Source):
    """Points y = slope * x + intercept + noise, for x between -1 and 1, or the points in the config.

    Inputs and targets are not standardised, so that the weight and bias of a linear network are the slope and the
    intercept.

    Args:
        dir: folder of the store.
        slope: slope of the line.
        intercept: value of the line at x = 0.
        noise: standard deviation of the normal noise on y.
        num_points: points in each split; train, val and test are drawn separately.
        split_seed: seed of the points.
        points: pairs of x and y, such as [[1, 3], [2, 5]], that replace the drawn points in train, val and test.
        start: initial slope and intercept of a linear network, which `configs/model/linear.yaml` reads; the points do
            not depend on it.
        batch_size: see `Source`.

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
        batch_size: int | Literal["all"] = 32,
    ) -> None:
        super().__init__(dir, batch_size=batch_size)
        check_range("data.num_points", num_points, at_least=1)
        check_range("data.noise", noise, at_least=0)
        if points is not None and not (points and all(len(point) == 2 for point in points)):
            raise ValueError(f"data.points={points}: must be pairs of x and y, such as [[1, 3], [2, 5]].")
        for key, value in {"slope": slope, "intercept": intercept, "noise": noise, "points": points or 0}.items():
            if not np.all(np.abs(value) <= np.finfo(np.float32).max):
                raise ValueError(f"data.{key}={value}: must be finite in float32.")
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
        return []

    def read(self) -> tuple[tuple[str, ...], dict[str, Arrays]]:
        """Draw the points: x and y, (points, 1) each, float32."""
        return ("y",), {split: self._points(split) for split in ("train", "val", "test")}

    def describe(self, labels: tuple[str, ...], train: Arrays) -> DataSpec:
        """Return mean 0 and standard deviation 1, with which the points are not standardised."""
        columns = (Column("x", "number"),)
        return DataSpec((1,), 1, labels, (0.0,), (1.0,), target_mean=(0.0,), target_std=(1.0,), columns=columns)

    def _points(self, split: str) -> Arrays:
        if self.points is not None:
            table = np.array(self.points, dtype=np.float32)
            return Arrays(table[:, :1], table[:, 1:])
        random = generator(self.split_seed, "line", split)
        x = 2 * torch.rand(self.num_points, 1, generator=random) - 1
        y = self.slope * x + self.intercept + self.noise * torch.randn(self.num_points, 1, generator=random)
        return Arrays(x.numpy(), y.numpy())
