"""The confusion matrix, from which all metrics of a classifier follow."""

import torch
from torch import Tensor

MACRO_METRICS = ("precision", "recall", "f1")


class ConfusionMeter:
    """Counts pairs of true and predicted class, and adds up losses, over one pass through a split.

    Attributes:
        counts: (classes, classes), int64; rows are true classes, columns predicted ones.
        loss: (), float32, the sum over samples.
        in_top5: (), int64, samples whose class is among the five largest logits; only for more than five classes.
    """

    def __init__(self, num_classes: int, device: torch.device) -> None:
        self.counts = torch.zeros(num_classes, num_classes, dtype=torch.int64, device=device)
        self.loss = torch.zeros((), device=device)
        self.in_top5 = torch.zeros((), dtype=torch.int64, device=device)

    def update(self, logits: Tensor, targets: Tensor, loss: Tensor) -> None:
        """Add a batch: logits (batch, classes), true classes (batch,), and the mean loss."""
        if not len(targets):  # one of several processes may get no samples; its mean loss is NaN
            return
        cells = targets * len(self.counts) + logits.argmax(1)
        self.counts.view(-1).index_add_(0, cells, torch.ones_like(cells))
        self.loss += loss.detach() * len(targets)
        if len(self.counts) > 5:
            self.in_top5 += (logits.topk(5).indices == targets[:, None]).sum()

    def sums(self) -> list[Tensor]:
        """Return the tensors that several processes add up, in place."""
        return [self.counts, self.loss, self.in_top5]

    def compute(self) -> dict[str, float]:
        """Return mean loss, accuracy, macro precision, recall and F1, and top-5 accuracy for more than five classes."""
        counts = self.counts.cpu()
        num_samples = max(1, int(counts.sum()))
        metrics = {"loss": float(self.loss) / num_samples} | classification_metrics(counts)
        return metrics | ({"top5": int(self.in_top5) / num_samples} if len(counts) > 5 else {})


def classification_metrics(counts: Tensor) -> dict[str, float]:
    """Return accuracy and macro precision, recall and F1.

    The macro metrics are means over the classes that occur, as true or as predicted class. A quotient with the
    denominator 0 counts as 0. torchmetrics defines them in the same way and gives the same numbers; it is not used here
    because it takes seconds to import.

    Args:
        counts: (classes, classes), int64; rows are true classes.
    """
    num_samples = int(counts.sum())
    if not num_samples:
        return dict.fromkeys(("accuracy", *MACRO_METRICS), 0.0)
    found = per_class(counts)
    occurs = (counts.sum(1) + counts.sum(0) > 0).float()
    # A float32 mean of ones can end slightly above one.
    macro = {name: min(1.0, float(_divide(occurs * values, occurs.sum()).sum())) for name, values in found.items()}
    return {"accuracy": float(counts.diagonal().sum()) / num_samples} | macro


def per_class(counts: Tensor) -> dict[str, Tensor]:
    """Return precision, recall and F1 of each class: (classes,) each. A quotient with the denominator 0 counts as 0.

    Args:
        counts: (classes, classes), int64; rows are true classes.
    """
    correct, true, predicted = counts.diagonal(), counts.sum(1), counts.sum(0)
    return {
        "precision": _divide(correct, predicted),
        "recall": _divide(correct, true),
        "f1": _divide(2 * correct, true + predicted),
    }


def _divide(numerators: Tensor, denominators: Tensor) -> Tensor:
    """Divide in float32; 0 if the denominator is 0."""
    quotients = numerators.float() / denominators.float()
    return torch.where(denominators == 0, torch.zeros_like(quotients), quotients)
