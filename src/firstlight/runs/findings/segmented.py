"""The images of a split with the pixels that a network gives to each class."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from firstlight.spec import DataSpec
from firstlight.tasks.outcomes import Outcomes
from firstlight.tasks.segmentation.meter import class_rows


@dataclass(frozen=True)
class Segmented:
    """Images with the confusion matrices of their pixels.

    Attributes:
        counts: (images, classes, classes), int64; rows are true classes, columns predicted ones.
        errors: (images,), 1 minus the mean IoU of each image.
        indices: (images,), the place of each image in its split.
        labels: the names of the classes.
        num_samples: images of the split; those above are evenly spaced among them, see `Outcomes`.
        columns: the columns of the table of the classes.
        rank: the column by which the worst classes are found.
    """

    counts: Tensor
    errors: Tensor
    indices: Tensor
    labels: Sequence[str]
    num_samples: int
    columns: ClassVar[tuple[str, ...]] = ("iou", "dice", "precision", "recall", "pixels")
    rank: ClassVar[str] = "iou"

    @classmethod
    def of(cls, outcomes: Outcomes, spec: DataSpec) -> "Segmented":
        """Return the images of a segmentation's outcomes, which are gathered."""
        found = outcomes.outputs.long(), outcomes.losses, outcomes.indices
        return cls(*found, spec.labels, outcomes.num_samples)

    def confusion(self) -> Tensor:
        """Return the confusion matrix of all pixels (classes, classes), int64."""
        return self.counts.sum(0)

    def worst(self, limit: int) -> list[int]:
        """Return the positions of the images with the lowest mean IoU below 1, at most `limit` of them."""
        wrong = (self.errors > 0).nonzero()[:, 0]
        order = self.errors[wrong].argsort(descending=True, stable=True)
        found: list[int] = wrong[order[:limit]].tolist()
        return found

    def per_class(self) -> list[dict[str, str | int | float]]:
        """Return a row for each class: `class`, and `columns`. `pixels` is the number of true pixels."""
        rows = class_rows(self.confusion())
        return [{"class": label, **row} for label, row in zip(self.labels, rows, strict=True)]
