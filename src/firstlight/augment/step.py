"""What every step of a pipeline has in common: a probability, and random draws per sample."""

from typing import ClassVar

import torch
from torch import Tensor

from firstlight.checks import check_range

Size = tuple[int, int]  # height and width, in pixels


class Step:
    """One augmentation.

    Draws come from torch's default generator, which a training step seeds by (seed, epoch, step, rank): the same
    place in a run gives the same draws, whatever ran before.

    Args:
        p: the probability that a sample is changed, for each sample by itself.

    Raises:
        ValueError: `p` is no probability.
    """

    accepts: ClassVar[str] = "images"

    def __init__(self, p: float) -> None:
        check_range("p", p, at_least=0, at_most=1)
        self.p = p

    def uniform(self, shape: tuple[int, ...], low: float, high: float, device: torch.device) -> Tensor:
        """Uniform draws in `low` to `high`."""
        return torch.empty(shape, device=device).uniform_(low, high)

    def chosen(self, num_samples: int, device: torch.device) -> Tensor:
        """Which samples are changed: (samples,), bool."""
        return torch.rand(num_samples, device=device) < self.p

    def for_chosen(self, values: Tensor, neutral: float) -> Tensor:
        """`values` (samples, ...) for the samples that are changed, and what changes nothing for the others."""
        if self.p == 1:
            return values
        chosen = self.chosen(len(values), values.device)
        return torch.where(chosen.reshape(-1, *[1] * (values.ndim - 1)), values, neutral)


def check_order(**bounds: float) -> None:
    """Check that the first of two values is at most as large as the second.

    Args:
        bounds: the two values by the names of their options, the lower bound first: `check_order(low=low, high=high)`.

    Raises:
        ValueError: the first value is larger, or the second is NaN.
    """
    (low_name, low), (high_name, high) = bounds.items()
    if not low <= high:
        raise ValueError(f"{low_name}={low}: must be at most {high_name}={high}.")
