"""Classification: one class for each sample."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from firstlight.augment import Augment
from firstlight.checks import check_range, choose
from firstlight.config.transfer import Transfer
from firstlight.data import Split
from firstlight.spec import DataSpec
from firstlight.tasks import class_balance
from firstlight.tasks.confusion import MACRO_METRICS, ConfusionMeter
from firstlight.tasks.task import Batch, Task

BALANCES = ("weights", "sampler")


class Classification(Task):
    """Minimizes the cross entropy between the network's logits (batch, classes) and the true classes (batch,).

    Args:
        spec: the data.
        network: returns one logit for each class; a single logit if `binary`.
        augment: turns raw batches into the network's inputs. If it mixes samples, targets are class probabilities.
        transfer: which parts of the network learn, and when.
        label_smoothing: fraction of the target that is spread over all classes in training (Szegedy et al. 2016,
            section 7). Validation and test losses are not smoothed.
        binary: whether a single logit separates two classes, with binary cross entropy. It belongs to the second class.
        balance: how to make up for classes of unequal size: "weights" in the training loss, or a "sampler" that draws
            every class equally often; None for neither.
        class_weights: the weight of each class in the training loss; None for equal weights. The loss is the weighted
            mean over the samples. If samples are mixed, each term of a sample's cross entropy has the weight of its
            class, and the loss is the plain mean over the samples.

    Raises:
        ValueError: an option is out of its range, `binary` is given for another number of classes than two, or
            `class_weights` does not hold one positive number for each class.
    """

    target_kind = "classes"
    supports_feature_cache = True
    predicts_labels = True

    def __init__(
        self,
        spec: DataSpec,
        network: nn.Module,
        augment: Augment,
        transfer: Transfer | None = None,
        *,
        label_smoothing: float = 0.0,
        binary: bool = False,
        balance: str | None = None,
        class_weights: Sequence[float] | None = None,
    ) -> None:
        super().__init__(spec, network, augment, transfer)
        check_range("label_smoothing", label_smoothing, at_least=0, below=1)
        if class_weights is not None and (
            len(class_weights) != spec.num_outputs or not all(0 < weight < math.inf for weight in class_weights)
        ):
            raise ValueError(
                f"class_weights={list(class_weights)}: must be one number above 0 for each of {', '.join(spec.labels)}."
            )
        if balance is not None:
            choose("balance", balance, BALANCES, "way to balance classes")
        if balance == "weights" and class_weights is not None:
            raise ValueError("balance=weights: must be null if class_weights is set.")
        self.metric_names = ("loss", "accuracy", *(("top5",) if spec.num_outputs > 5 else ()), *MACRO_METRICS)
        self.label_smoothing = label_smoothing
        self.binary = binary
        self.balance = balance
        weights = None if class_weights is None else torch.tensor(class_weights, dtype=torch.float32)
        self.register_buffer("class_weights", weights, persistent=False)
        self.class_weights: Tensor | None

    @classmethod
    def network_spec(cls, spec: DataSpec, **options: Any) -> DataSpec:
        """Return the spec with a single output if `binary`."""
        if not options.get("binary"):
            return spec
        if spec.num_outputs != 2:
            raise ValueError(f"binary=true: must be false, because the data has {spec.num_outputs} classes, not 2.")
        return replace(spec, num_outputs=1)

    def adapt_to(self, train: Split, val: Split) -> list[str]:
        """Set the class weights if `balance` is "weights". Return warnings about small classes."""
        counts = class_balance.class_counts(train, self.spec.num_outputs)
        if self.balance == "weights":
            self.class_weights = class_balance.class_weights(counts).to(self.device)
        return class_balance.warnings(self.spec.labels, counts, class_balance.class_counts(val, self.spec.num_outputs))

    @property
    def balanced_sampling(self) -> bool:
        """Whether training draws every class equally often."""
        return self.balance == "sampler"

    def new_meter(self) -> ConfusionMeter:
        """Return an empty confusion matrix."""
        return ConfusionMeter(self.spec.num_outputs, self.device)

    def batch_loss(self, batch: Batch, meter: ConfusionMeter) -> Tensor:
        """Return the mean cross entropy of a raw batch."""
        inputs, targets = self.prepared(batch)
        logits = self.class_logits(self.outputs(inputs))
        smoothing, weights = (self.label_smoothing, self.class_weights) if self.training else (0.0, None)
        loss = F.cross_entropy(logits, targets, weights, label_smoothing=smoothing)
        meter.update(logits, targets if targets.ndim == 1 else targets.argmax(1), loss)
        return loss

    def class_logits(self, outputs: Tensor) -> Tensor:
        """Return one logit for each class (batch, classes); softmax turns them into probabilities.

        A single logit s becomes (0, s): the softmax is then the sigmoid of s, and the cross entropy the binary one.
        """
        return torch.cat([torch.zeros_like(outputs), outputs], 1) if self.binary else outputs
