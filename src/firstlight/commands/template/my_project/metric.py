"""A metric."""

import torch
from torch import Tensor
from torchmetrics import Metric


class Confidence(Metric):
    """The probability that the network gives to the true class, averaged over the samples."""

    higher_is_better = True

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("count", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Add a batch: probabilities (batch, classes), and true classes (batch,)."""
        self.total += preds.gather(1, target[:, None]).sum()
        self.count += len(target)

    def compute(self) -> Tensor:
        """Return the mean, from 0 to 1."""
        return self.total / self.count
