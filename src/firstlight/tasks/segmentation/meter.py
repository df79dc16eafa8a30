"""The confusion matrix of pixels, from which all metrics of a segmentation follow."""

import torch
from torch import Tensor

from firstlight.spec import IGNORED
from firstlight.tasks.metrics.confusion import ConfusionMeter, per_class


class PixelMeter(ConfusionMeter):
    """Counts pairs of true and predicted class of pixels, and adds up losses of images.

    Attributes:
        counts: (classes, classes), int64; rows are true classes, columns predicted ones.
        loss: (), float32, the sum over images.
        num_images: (), int64.
    """

    def __init__(self, num_classes: int, device: torch.device) -> None:
        super().__init__(num_classes, device)
        self.num_images = torch.zeros((), dtype=torch.int64, device=device)

    def update(self, logits: Tensor, targets: Tensor, loss: Tensor) -> None:
        """Add a batch: logits (batch, classes, height, width), masks (batch, height, width), and the mean loss."""
        if not len(targets):  # one of several processes may get no samples
            return
        self.counts += confusions(logits, targets).sum(0)
        self.loss += loss.detach() * len(targets)
        self.num_images += len(targets)

    def sums(self) -> list[Tensor]:
        """Return the tensors that several processes add up, in place."""
        return [self.counts, self.loss, self.num_images]

    def compute(self) -> dict[str, float]:
        """Return the mean loss of an image, and what `segmentation_metrics` returns."""
        return {"loss": float(self.loss) / max(1, int(self.num_images))} | segmentation_metrics(self.counts.cpu())


def confusions(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the confusion matrix of each image: (batch, classes, classes), int64; rows are true classes.

    Args:
        logits: (batch, classes, height, width).
        targets: (batch, height, width), int64; pixels of `spec.IGNORED` do not count.
    """
    number, classes = logits.shape[:2]
    known = targets != IGNORED
    images = torch.arange(number, device=targets.device)[:, None, None]
    cells = (images * classes + targets.masked_fill(~known, 0)) * classes + logits.argmax(1)
    counts = torch.zeros(number * classes * classes, dtype=torch.int64, device=targets.device)
    return counts.index_add_(0, cells.flatten(), known.flatten().long()).view(number, classes, classes)


def segmentation_metrics(counts: Tensor) -> dict[str, float]:
    """Return the accuracy of the pixels, and the means of IoU and Dice over the classes that occur.

    A class occurs as true or as predicted class. torchmetrics gives the same numbers.

    Args:
        counts: (classes, classes), int64; rows are true classes.
    """
    num_pixels = int(counts.sum())
    if not num_pixels:
        return {"accuracy": 0.0, "mean_iou": 0.0, "dice": 0.0}
    occurs = counts.sum(1) + counts.sum(0) > 0
    means = {name: min(1.0, float(values[occurs].mean())) for name, values in overlaps(counts).items()}
    return {"accuracy": float(counts.diagonal().sum()) / num_pixels, "mean_iou": means["iou"], "dice": means["dice"]}


def overlaps(counts: Tensor) -> dict[str, Tensor]:
    """Return IoU and Dice of each class, (..., classes) each; 0 for a class that does not occur.

    IoU is the intersection of true and predicted pixels over their union, and Dice twice the intersection over the sum
    of both, which is F1.

    Args:
        counts: (..., classes, classes); rows are true classes.
    """
    both = counts.diagonal(dim1=-2, dim2=-1).double()
    sums = counts.sum(-1).double() + counts.sum(-2).double()
    return {"iou": both / (sums - both).clamp_min(1), "dice": 2 * both / sums.clamp_min(1)}


def class_rows(counts: Tensor) -> list[dict[str, float | int]]:
    """Return IoU, Dice, precision, recall and the number of true pixels of each class.

    Args:
        counts: (classes, classes); rows are true classes.
    """
    found = overlaps(counts) | {name: value for name, value in per_class(counts).items() if name != "f1"}
    columns = {name: [round(float(value), 6) for value in values] for name, values in found.items()}
    pixels = [int(value) for value in counts.sum(1)]
    return [
        {**{name: values[place] for name, values in columns.items()}, "pixels": number}
        for place, number in enumerate(pixels)
    ]
