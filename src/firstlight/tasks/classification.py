"""One class per sample."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from firstlight.augment import Augment
from firstlight.checks import choose
from firstlight.spec import DataSpec
from firstlight.tasks.confusion import MACRO_METRICS, ConfusionMeter
from firstlight.tasks.recipe import Recipe
from firstlight.tasks.task import Batch, Task


class Classification(Task):
    """Cross entropy between the network's scores (batch, classes) and the true classes (batch,).

    Args:
        spec: of the data.
        network: gives one score per class; one alone where `binary`.
        augment: from raw batches to the network's inputs; where it mixes samples, targets are class probabilities.
        recipe: how to train.
        label_smoothing: share of the target that is spread over all classes in training (Szegedy et al. 2016,
            section 7); losses of validation and test are without it.
        binary: whether one score tells two classes apart, by binary cross entropy: it is for the second class.
        balance: for classes of unequal size: "weights" that make up for it in the loss of training, or a "sampler"
            that draws each class equally often; None for neither.
        class_weights: how much a sample of each class counts in the loss of training; None for 1 each. The loss is
            the mean over the weights of the samples; where samples are mixed, each term of a sample's cross entropy
            has the weight of its class, and the loss is the mean over the samples, so that its scale is that of the
            weights.

    Raises:
        ValueError: `label_smoothing` is no share, an unknown `balance`, `binary` where there are not two classes, or
            weights that are not one positive number for each class.
    """

    target_kind = "classes"
    supports_feature_cache = True

    def __init__(
        self,
        spec: DataSpec,
        network: nn.Module,
        augment: Augment,
        recipe: Recipe | None = None,
        *,
        label_smoothing: float = 0.0,
        binary: bool = False,
        balance: str | None = None,
        class_weights: Sequence[float] | None = None,
    ) -> None:
        super().__init__(spec, network, augment, recipe)
        if not 0 <= label_smoothing < 1:
            raise ValueError(f"label_smoothing={label_smoothing}: a share from 0 to below 1.")
        if class_weights is not None and (
            len(class_weights) != spec.num_outputs or not all(0 < weight < math.inf for weight in class_weights)
        ):
            raise ValueError(
                f"class_weights={list(class_weights)}: one number above 0 for each of {', '.join(spec.labels)}."
            )
        if balance is not None:
            choose("balance", balance, ("weights", "sampler"), "way to balance classes")
        if balance == "weights" and class_weights is not None:
            raise ValueError("balance=weights: class_weights say already how much each class counts.")
        self.metric_names = ("loss", "accuracy", *(("top5",) if spec.num_outputs > 5 else ()), *MACRO_METRICS)
        self.label_smoothing = label_smoothing
        self.binary = binary
        self.balance = balance
        weights = None if class_weights is None else torch.tensor(class_weights, dtype=torch.float32)
        self.register_buffer("class_weights", weights, persistent=False)
        self.class_weights: Tensor | None

    @classmethod
    def network_spec(cls, spec: DataSpec, **options: Any) -> DataSpec:
        """One score is enough to tell two classes apart."""
        if not options.get("binary"):
            return spec
        if spec.num_outputs != 2:
            raise ValueError(f"binary=true: one score tells two classes apart, not {spec.num_outputs}.")
        return replace(spec, num_outputs=1)

    def new_meter(self) -> ConfusionMeter:
        """An empty confusion matrix."""
        return ConfusionMeter(self.spec.num_outputs, self.device)

    def batch_loss(self, batch: Batch, meter: ConfusionMeter) -> Tensor:
        """Mean cross entropy of a raw batch."""
        inputs, targets = self.prepared(batch)
        logits = self.class_logits(self.outputs(inputs))
        smoothing, weights = (self.label_smoothing, self.class_weights) if self.training else (0.0, None)
        loss = F.cross_entropy(logits, targets, weights, label_smoothing=smoothing)
        meter.update(logits, targets if targets.ndim == 1 else targets.argmax(1), loss)
        return loss

    def class_logits(self, outputs: Tensor) -> Tensor:
        """What the network gives, as a score per class (batch, classes), of which softmax makes probabilities.

        A single score s becomes (0, s): its softmax is the sigmoid of s, and its cross entropy the binary one.
        """
        return torch.cat([torch.zeros_like(outputs), outputs], 1) if self.binary else outputs
