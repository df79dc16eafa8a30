"""The samples of a split with the classes that a network predicts for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from firstlight.spec import DataSpec
from firstlight.tasks.metrics.confusion import per_class
from firstlight.tasks.metrics.ranking import auroc, average_precision
from firstlight.tasks.outcomes import Outcomes

COLUMNS = ("precision", "recall", "f1", "auroc", "average_precision", "support")


@dataclass(frozen=True)
class Classified:
    """Samples with their true classes and the probabilities of all classes.

    Attributes:
        probabilities: (samples, classes), float64.
        targets: (samples,), the true classes.
        losses: (samples,), the cross entropy of each sample.
        indices: (samples,), the place of each sample in its split.
        labels: the names of the classes.
        num_samples: samples of the split; those above are evenly spaced among them, see `Outcomes`.
        columns: the columns of the table of the classes.
        rank: the column by which the worst classes are found.
    """

    probabilities: Tensor
    targets: Tensor
    losses: Tensor
    indices: Tensor
    labels: Sequence[str]
    num_samples: int
    columns: ClassVar[tuple[str, ...]] = COLUMNS
    rank: ClassVar[str] = "f1"

    @classmethod
    def of(cls, outcomes: Outcomes, spec: DataSpec, temperature: float = 1.0) -> "Classified":
        """Return the samples of a classification's outcomes, which are gathered.

        Args:
            outcomes: the outputs are logits.
            spec: the data.
            temperature: divides the logits, see `calibrate`.
        """
        probabilities = (outcomes.outputs.double() / temperature).softmax(1)
        found = outcomes.targets, outcomes.losses, outcomes.indices
        return cls(probabilities, *found, spec.labels, outcomes.num_samples)

    @property
    def predicted(self) -> Tensor:
        """The most probable class of each sample: (samples,)."""
        return self.probabilities.argmax(1)

    @property
    def confidences(self) -> Tensor:
        """The probability of the predicted class: (samples,)."""
        return self.probabilities.amax(1)

    @property
    def is_correct(self) -> Tensor:
        """Whether the prediction is correct: (samples,)."""
        return self.predicted == self.targets

    def confusion(self) -> Tensor:
        """Return the confusion matrix (classes, classes), int64; rows are true classes, columns predicted ones."""
        size = len(self.labels)
        return (self.targets * size + self.predicted).bincount(minlength=size * size).view(size, size)

    def worst(self, limit: int) -> list[int]:
        """Return the positions of the wrong predictions with the highest losses, at most `limit` of them."""
        wrong = (~self.is_correct).nonzero()[:, 0]
        order = self.losses[wrong].argsort(descending=True, stable=True)
        return wrong[order[:limit]].tolist()

    def per_class(self) -> list[dict[str, str | int | float]]:
        """Return a row for each class: `class`, and `COLUMNS`, with six digits after the point.

        AUROC and average precision separate the class from all others. They are NaN for a class without samples, and
        AUROC also if there are no others. `support` is the number of samples of the class.
        """
        found = {name: values.tolist() for name, values in per_class(self.confusion()).items()}
        support = self.targets.bincount(minlength=len(self.labels)).tolist()
        probabilities, targets = self.probabilities.numpy(), self.targets.numpy()
        return [
            {
                "class": label,
                **{name: round(values[index], 6) for name, values in found.items()},
                "auroc": round(auroc(probabilities[:, index], targets == index), 6),
                "average_precision": round(average_precision(probabilities[:, index], targets == index), 6),
                "support": support[index],
            }
            for index, label in enumerate(self.labels)
        ]
