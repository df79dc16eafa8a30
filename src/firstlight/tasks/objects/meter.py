"""The metrics of a detector."""

import torch
from torch import Tensor

from firstlight.tasks.metrics.gathered import gathered
from firstlight.tasks.metrics.meters import Sums, means
from firstlight.tasks.objects.average_precision import mean_average_precision


class DetectionMeter:
    """Adds up the losses over one pass through a split, and keeps the objects if they are ranked.

    Args:
        names: names of the losses.
        device: the device of the task.
        ranks: whether the mean average precision is computed, which keeps all objects.
    """

    def __init__(self, names: tuple[str, ...], device: torch.device, *, ranks: bool) -> None:
        self.losses = Sums(("count", *names), means, device)
        self.ranks = ranks
        self._seen: list[tuple[Tensor, Tensor]] = []

    def add(self, number: int, losses: dict[str, Tensor]) -> None:
        """Add the mean losses of a batch of `number` images."""
        self.losses.add(count=number, **{name: loss * number for name, loss in losses.items()})

    def see(self, found: list[Tensor], true: Tensor) -> None:
        """Keep the objects of a batch: those that are found, see `mean_average_precision`, and the true ones."""
        self._seen += zip([each.cpu() for each in found], true.cpu().unbind(), strict=True)

    def sums(self) -> list[Tensor]:
        """Return the tensors that several processes add up, in place."""
        return self.losses.sums()

    def compute(self) -> dict[str, float]:
        """Return the mean losses, and the mean average precisions if objects are ranked."""
        losses = self.losses.compute()
        if not self.ranks:
            return losses
        seen = gathered(self._seen)
        return losses | mean_average_precision([found for found, _ in seen], [true for _, true in seen])
