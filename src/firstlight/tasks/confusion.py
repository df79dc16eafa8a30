"""The confusion matrix, from which all scores of a classifier follow."""

import torch
from torch import Tensor
from torchmetrics.functional import classification as scores

MACRO_METRICS = {
    "precision": scores.multiclass_precision,
    "recall": scores.multiclass_recall,
    "f1": scores.multiclass_f1_score,
}


class ConfusionMeter:
    """Counts of (true class, predicted class) and the sum of the losses over one pass through a split.

    Attributes:
        counts: (classes, classes), int64, rows are the true classes.
        loss: (), float32, the sum over samples.
        in_top5: (), int64: samples whose class is among the five likeliest; counted where there are more classes.
    """

    def __init__(self, num_classes: int, device: torch.device) -> None:
        self.counts = torch.zeros(num_classes, num_classes, dtype=torch.int64, device=device)
        self.loss = torch.zeros((), device=device)
        self.in_top5 = torch.zeros((), dtype=torch.int64, device=device)

    def update(self, logits: Tensor, targets: Tensor, loss: Tensor) -> None:
        """Take note of a batch: (batch, classes), (batch,) and its mean loss."""
        if not len(targets):  # the share of one of many processes; its mean loss is not a number
            return
        cells = targets * len(self.counts) + logits.argmax(1)
        self.counts.view(-1).index_add_(0, cells, torch.ones_like(cells))
        self.loss += loss.detach() * len(targets)
        if len(self.counts) > 5:
            self.in_top5 += (logits.topk(5).indices == targets[:, None]).sum()

    def sums(self) -> list[Tensor]:
        """What several processes add up."""
        return [self.counts, self.loss, self.in_top5]

    def compute(self) -> dict[str, float]:
        """Mean loss, accuracy, top-5 accuracy where there are more classes, and macro precision, recall and F1."""
        counts = self.counts.cpu()
        num_samples = max(1, int(counts.sum()))
        scores = {"loss": float(self.loss) / num_samples} | classification_metrics(counts)
        return scores | ({"top5": int(self.in_top5) / num_samples} if len(counts) > 5 else {})


def classification_metrics(counts: Tensor) -> dict[str, float]:
    """Accuracy, macro precision, recall and F1 of a confusion matrix (classes, classes), rows being the true classes.

    torchmetrics computes them, from the pairs of true and predicted classes that the matrix counts.
    """
    num_classes = len(counts)
    classes = torch.arange(num_classes)
    targets = classes.repeat_interleave(counts.sum(1))
    predictions = classes.repeat(num_classes).repeat_interleave(counts.flatten())
    if not len(targets):
        return dict.fromkeys(("accuracy", *MACRO_METRICS), 0.0)
    found = {"accuracy": float(counts.diagonal().sum()) / len(targets)}
    for name, score in MACRO_METRICS.items():
        value = score(predictions, targets, num_classes=num_classes, average="macro", validate_args=False)
        found[name] = min(1.0, float(value))  # a mean of ones in float32 can end a little above one
    return found
