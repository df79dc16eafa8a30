"""Metrics."""

import torch
from torch import Tensor
from torchmetrics import Metric


class Doubt(Metric):
    """The mean probability of the wrong classes; lower is better."""

    higher_is_better: bool | None = False
    total: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("count", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Add probabilities (batch, classes) and classes (batch,)."""
        self.total += (1 - preds.gather(1, target[:, None])).sum()
        self.count += len(target)

    def compute(self) -> Tensor:
        """Return the mean."""
        return self.total / self.count


class Undirected(Doubt):
    """A metric that does not say which values are better."""

    higher_is_better = None
