"""A meter of errors: how well they separate normal samples from others."""

from collections.abc import Callable

import torch
from torch import Tensor

from firstlight.tasks.metrics.meters import Sums, Totals

_BINS = 2**15  # each is 0.07 % wide
_SMALLEST, _LARGEST = 1e-8, 1e2


class ErrorHistogram(Sums):
    """Named sums, and a histogram of the errors of normal samples and of others.

    Several processes add up histograms, as all sums. The bins are evenly spaced in the logarithm of the error, so the
    area under the curve and quantiles are exact up to errors that differ by less than 0.07 %.

    Args:
        names: see `Sums`.
        compute: see `Sums`.
        device: see `Sums`.
    """

    def __init__(self, names: tuple[str, ...], compute: Callable[[Totals], Totals], device: torch.device) -> None:
        super().__init__(names, compute, device)
        self.counts = torch.zeros(2, _BINS, dtype=self.totals.dtype, device=device)  # of normal samples, of others

    def add_errors(self, errors: Tensor, is_other: Tensor) -> None:
        """Add the errors of samples (batch,), and whether each is not normal (batch,)."""
        span = torch.tensor(_LARGEST / _SMALLEST).log()
        places = (errors.float().clamp(_SMALLEST, _LARGEST) / _SMALLEST).log() / span.to(errors.device)
        bins = (places * _BINS).long().clamp(0, _BINS - 1)
        self.counts.view(-1).scatter_add_(0, is_other * _BINS + bins, torch.ones_like(bins, dtype=self.counts.dtype))

    def sums(self) -> list[Tensor]:
        """Return the tensors that several processes add up, in place."""
        return [*super().sums(), self.counts]

    @property
    def auroc(self) -> float:
        """The probability that another sample has a larger error than a normal one; NaN without one of both kinds."""
        normal, others = self.counts.double().cpu()
        pairs = normal.sum() * others.sum()
        smaller = normal.cumsum(0) - normal / 2  # a tie counts as half
        return float((others * smaller).sum() / pairs) if pairs else float("nan")

    def quantile(self, fraction: float) -> Tensor:
        """Return the error that this fraction of the normal samples does not exceed; NaN without normal samples."""
        normal = self.counts[0]
        last = (normal.cumsum(0) < fraction * normal.sum()).sum() + 1  # the upper edge of the bin
        error = _SMALLEST * (_LARGEST / _SMALLEST) ** (last / _BINS)
        return torch.where(normal.sum() > 0, error, torch.nan)
