"""The base class of all augmentation steps: a probability, and random numbers per sample."""

from typing import ClassVar

import torch
from torch import Tensor

from firstlight.checks import check_range

Size = tuple[int, int]  # height and width, in pixels


class Step:
    """One step of an augmentation pipeline.

    A step draws its random numbers from torch's default generator. Each training step reseeds this generator from
    (seed, epoch, step, rank). The same step of a run therefore always gets the same random numbers.

    Args:
        p: probability that a sample is changed; each sample is decided separately.

    Attributes:
        accepts: the kind of data that the step changes, "images" or "tokens".

    Raises:
        ValueError: `p` is outside 0 to 1.
    """

    accepts: ClassVar[str] = "images"

    def __init__(self, p: float) -> None:
        check_range("p", p, at_least=0, at_most=1)
        self.p = p

    def uniform(self, shape: tuple[int, ...], low: float, high: float, device: torch.device) -> Tensor:
        """Draw numbers uniformly from `low` to `high`."""
        return torch.empty(shape, device=device).uniform_(low, high)

    def chosen(self, num_samples: int, device: torch.device) -> Tensor:
        """Draw which samples the step changes: (samples,), bool."""
        return torch.rand(num_samples, device=device) < self.p

    def for_chosen(self, values: Tensor, neutral: float) -> Tensor:
        """Draw which samples the step changes, and return `values` with `neutral` for all other samples.

        Args:
            values: (samples, ...), a random value for each sample.
            neutral: the value that leaves a sample unchanged.
        """
        if self.p == 1:
            return values
        chosen = self.chosen(len(values), values.device)
        return torch.where(chosen.reshape(-1, *[1] * (values.ndim - 1)), values, neutral)


def check_order(**bounds: float) -> None:
    """Check that a lower bound is at most as large as its upper bound.

    Args:
        bounds: the two bounds by the names of their options, the lower bound first, as in `check_order(low=1, high=2)`.

    Raises:
        ValueError: the lower bound is larger, or the upper bound is NaN.
    """
    (low_name, low), (high_name, high) = bounds.items()
    if not low <= high:
        raise ValueError(f"{low_name}={low}: must be at most {high_name}={high}.")
