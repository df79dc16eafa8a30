"""One class per sample."""

from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from firstlight.augment import Augment
from firstlight.spec import DataSpec
from firstlight.tasks.confusion import ConfusionMeter
from firstlight.tasks.task import Batch, Recipe, Task


class Classification(Task):
    """Cross entropy between the network's scores (batch, classes) and the true classes (batch,).

    Args:
        spec: of the data.
        network: gives one score per class.
        augment: from raw batches to the network's inputs; where it mixes samples, targets are class probabilities.
        recipe: how to train.
        label_smoothing: share of the target that is spread over all classes in training (Szegedy et al. 2016,
            section 7); losses of validation and test are without it.

    Raises:
        ValueError: `label_smoothing` is no share.
    """

    metric_names: ClassVar[tuple[str, ...]] = ("loss", "accuracy", "precision", "recall", "f1")

    def __init__(
        self,
        spec: DataSpec,
        network: nn.Module,
        augment: Augment,
        recipe: Recipe | None = None,
        *,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(spec, network, augment, recipe)
        if not 0 <= label_smoothing < 1:
            raise ValueError(f"label_smoothing={label_smoothing}: a share from 0 to below 1.")
        self.label_smoothing = label_smoothing

    def new_meter(self) -> ConfusionMeter:
        """An empty confusion matrix."""
        return ConfusionMeter(self.spec.num_outputs, self.device)

    def batch_loss(self, batch: Batch, meter: ConfusionMeter) -> Tensor:
        """Mean cross entropy of a raw batch."""
        inputs, targets = self.prepared(batch)
        logits = self.network(inputs)
        loss = F.cross_entropy(logits, targets, label_smoothing=self.label_smoothing if self.training else 0.0)
        meter.update(logits, targets if targets.ndim == 1 else targets.argmax(1), loss)
        return loss
