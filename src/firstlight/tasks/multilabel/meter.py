"""The metrics of several labels for each sample."""

import math

import torch
from torch import Tensor

from firstlight.tasks.metrics.gathered import gathered
from firstlight.tasks.metrics.ranking import average_precision


class LabelMeter:
    """Counts right and wrong labels over one pass through a split, and keeps the probabilities if they are ranked.

    Attributes:
        counts: (3, labels), int64: how often a label is given and right, is given, and fits.
        totals: (3,), float64: samples, sum of their losses, and samples whose labels are all right.

    Args:
        num_labels: number of the labels.
        threshold: the probability from which on a label is given.
        ranks: whether the mean average precision is computed, which keeps all probabilities.
        device: the device of the task.
    """

    def __init__(self, num_labels: int, threshold: float, device: torch.device, *, ranks: bool) -> None:
        self.counts = torch.zeros(3, num_labels, dtype=torch.int64, device=device)
        dtype = torch.float32 if device.type == "mps" else torch.float64  # Apple's GPUs have no float64
        self.totals = torch.zeros(3, dtype=dtype, device=device)
        self.threshold = threshold
        self.ranks = ranks
        self._seen: list[tuple[Tensor, Tensor]] = []

    def update(self, logits: Tensor, targets: Tensor, loss: Tensor) -> None:
        """Add a batch: logits (batch, labels), whether each label fits (batch, labels), and the mean loss."""
        if not len(targets):  # one of several processes may get no samples; its mean loss is NaN
            return
        probabilities, fits = logits.detach().float().sigmoid(), targets.bool()
        given = probabilities >= self.threshold
        self.counts += torch.stack([given & fits, given, fits]).sum(1)
        number, right = len(targets), (given == fits).all(1).sum()
        parts = torch.tensor(number), loss.detach() * number, right
        self.totals += torch.stack([part.to(self.totals) for part in parts])
        if self.ranks:
            self._seen.append((probabilities, fits))

    def sums(self) -> list[Tensor]:
        """Return the tensors that several processes add up, in place."""
        return [self.counts, self.totals]

    def compute(self) -> dict[str, float]:
        """Return mean loss, F1, the fraction of exact matches, and the mean average precision if labels are ranked.

        F1 and average precision are means over the labels. F1 leaves out labels that neither fit nor are given, and
        average precision those that fit no sample; without any label, F1 is 0 and average precision NaN.
        """
        both, given, fits = self.counts.cpu().double()
        occurs = given + fits > 0
        f1 = float((2 * both[occurs] / (given + fits)[occurs]).sum() / max(1, int(occurs.sum())))
        samples, loss, right = self.totals.tolist()
        found = {"loss": loss / max(1.0, samples), "f1": f1, "exact": right / max(1.0, samples)}
        return found | ({"map": self._mean_average_precision()} if self.ranks else {})

    def _mean_average_precision(self) -> float:
        seen = gathered([(probabilities.cpu(), fits.cpu()) for probabilities, fits in self._seen])
        if not seen:
            return math.nan
        probabilities, fits = (torch.cat(parts).numpy() for parts in zip(*seen, strict=True))
        found = [average_precision(*pair) for pair in zip(probabilities.T, fits.T, strict=True)]
        known = [value for value in found if not math.isnan(value)]
        return sum(known) / len(known) if known else math.nan
