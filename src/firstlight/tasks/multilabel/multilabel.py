"""Several labels for each sample, each of which fits or does not."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from firstlight.augment import Augment
from firstlight.checks import check_range
from firstlight.config.options import Transfer
from firstlight.spec import DataSpec
from firstlight.tasks.metrics.metric import LOSS, Metric
from firstlight.tasks.multilabel.meter import LabelMeter
from firstlight.tasks.task import Batch, Task, random_like


class Multilabel(Task):
    """Minimizes the binary cross entropy between the network's logits (batch, labels) and the labels (batch, labels).

    The labels are independent of each other: any number of them may fit a sample, or none. Any network for
    classification will do.

    Args:
        spec: the data.
        network: returns one logit for each label.
        augment: turns raw batches into the network's inputs.
        transfer: which parts of the network learn, and when.
        threshold: the probability from which on a label is given, in predictions, in `f1` and in `exact`. The loss and
            the mean average precision `map` do not depend on it.

    Raises:
        ValueError: the threshold is not between 0 and 1, or the targets are not labels.
    """

    target_kind = "labels"
    supports_feature_cache = True
    metrics: tuple[Metric, ...] = (LOSS, Metric("f1", "max"), Metric("exact", "max"))
    evaluated_metrics = (Metric("map", "max"),)
    headline = ("map", "f1")
    can_predict = True
    keeps_outcomes = True

    def __init__(
        self,
        spec: DataSpec,
        network: nn.Module,
        augment: Augment,
        transfer: Transfer | None = None,
        *,
        threshold: float = 0.5,
    ) -> None:
        super().__init__(spec, network, augment, transfer)
        check_range("threshold", threshold, above=0, below=1)
        self.threshold = threshold

    def output_shape(self) -> tuple[int, ...]:
        """Return the number of logits."""
        return (self.spec.num_outputs,)

    def new_meter(self) -> LabelMeter:
        """Return a meter that also ranks the samples in evaluation."""
        return LabelMeter(self.spec.num_outputs, self.threshold, self.device, ranks=not self.training)

    def batch_loss(self, batch: Batch, meter: LabelMeter) -> Tensor:
        """Return the mean binary cross entropy of a raw batch, over samples and labels."""
        inputs, targets = self.prepared(batch)
        logits = self.outputs(inputs)
        loss = F.binary_cross_entropy_with_logits(logits, targets.to(logits.dtype))
        meter.update(logits, targets, loss)
        self.compare(logits, targets)
        return loss

    def outcome(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits (batch, labels) and the loss of each sample (batch,)."""
        return outputs, F.binary_cross_entropy_with_logits(outputs, targets.float(), reduction="none").mean(1)

    def example_comparison(self) -> Batch:
        """Return random logits, and labels that alternate."""
        num_labels = self.spec.num_outputs
        return random_like(8, num_labels), torch.arange(8 * num_labels).view(8, num_labels) % 2

    def metric_options(self) -> dict[str, Any]:
        """Return the kind of classification, the number of labels and the threshold."""
        return {"task": "multilabel", "num_labels": self.spec.num_outputs, "threshold": self.threshold}

    def comparisons(self, outputs: Tensor, targets: Tensor) -> list[Batch]:
        """Return the probabilities and the true labels: (batch, labels) each."""
        return [(outputs.sigmoid(), targets.long())]

    def answers(self, raw: Tensor) -> dict[str, Tensor]:
        """Return `probabilities` (batch, labels), independent of each other."""
        return {"probabilities": self.network(self.preprocess(raw)).float().sigmoid()}

    @torch.inference_mode()
    def predict_rows(self, raw: Tensor) -> list[dict[str, Any]]:
        """Return `labels`, those from the threshold on with commas between them, and `probability_<label>` of each."""
        return [self._row(values) for values in self.answers(raw)["probabilities"].tolist()]

    def _row(self, probabilities: list[float]) -> dict[str, Any]:
        pairs = list(zip(self.spec.labels, probabilities, strict=True))
        given = ", ".join(label for label, value in pairs if value >= self.threshold)
        return {"labels": given, **{f"{_PREFIX}{label}": round(value, 6) for label, value in pairs}}

    def use_threshold(self, threshold: float) -> None:
        check_range("predict.threshold", threshold, above=0, below=1)
        self.threshold = threshold

    def cells(self, row: dict[str, Any]) -> tuple[str, ...]:
        """Return the labels that fit."""
        return (row["labels"] or "none",)

    def details(self, row: dict[str, Any]) -> list[tuple[str, ...]]:
        """Return each label with its probability, the most likely first, and whether it fits."""
        pairs = [(key.removeprefix(_PREFIX), value) for key, value in row.items() if key.startswith(_PREFIX)]
        ranked = sorted(pairs, key=lambda pair: -pair[1])
        return [(label, f"{value:7.2%}", "fits" if value >= self.threshold else "") for label, value in ranked]


_PREFIX = "probability_"
