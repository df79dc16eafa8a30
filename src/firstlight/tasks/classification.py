"""Classification: one class for each sample."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from firstlight.augment import Augment
from firstlight.checks import check_range, choose
from firstlight.config.options import Transfer
from firstlight.data import Split
from firstlight.spec import DataSpec
from firstlight.tasks import class_balance
from firstlight.tasks.metrics.calibration import Calibration
from firstlight.tasks.metrics.confusion import MACRO_METRICS, ConfusionMeter
from firstlight.tasks.metrics.metric import LOSS, Metric
from firstlight.tasks.outcomes import Outcomes
from firstlight.tasks.task import TOP, Batch, Task, random_like, ranked
from firstlight.transfer import imagenet_groups

BALANCES = ("weights", "sampler")
_MIN_UNDECIDED = 6  # with fewer classes, a network that hesitates between some of them hesitates between many


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

    Attributes:
        threshold: probability of the second of two classes from which on it is predicted; None for the larger one.
        temperature: divides the logits of predictions, but not of evaluations, see `runs.findings.temperature`.

    Raises:
        ValueError: an option is out of its range, `binary` is given for another number of classes than two, or
            `class_weights` does not hold one positive number for each class.
    """

    target_kind = "classes"
    supports_feature_cache = True
    headline = ("accuracy",)
    can_predict = True
    test_metrics = (Metric("ece", "min"),)
    keeps_outcomes = True

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
        weights = None if class_weights is None else class_balance.checked_weights(class_weights, spec.labels)
        if balance is not None:
            choose("balance", balance, BALANCES, "way to balance classes")
        if balance == "weights" and class_weights is not None:
            raise ValueError("balance=weights: must be null if class_weights is set.")
        fractions = ("accuracy", *(("top5",) if spec.num_outputs > 5 else ()), *MACRO_METRICS)
        self.metrics = (LOSS, *(Metric(name, "max") for name in fractions))
        self.label_smoothing = label_smoothing
        self.binary = binary
        self.balance = balance
        self.register_buffer("class_weights", weights, persistent=False)
        self.class_weights: Tensor | None
        self.group: str | None = None
        self.threshold: float | None = None
        self.temperature = 1.0

    @classmethod
    def network_spec(cls, spec: DataSpec, **options: Any) -> DataSpec:
        """Return the spec with a single output if `binary`.

        Raises:
            ValueError: `binary` is set, and there are more than two classes.
        """
        if not options.get("binary"):
            return spec
        if spec.num_outputs != 2:
            raise ValueError(f"binary=true: must be false, because the data has {spec.num_outputs} classes, not 2.")
        return replace(spec, num_outputs=1)

    def output_shape(self) -> tuple[int, ...]:
        """Return the number of logits."""
        return (1 if self.binary else self.spec.num_outputs,)

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
        self.compare(logits, targets)
        return loss

    def outcome(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits (batch, classes) and the cross entropy of each sample (batch,)."""
        return outputs, F.cross_entropy(outputs, targets, reduction="none")

    def outcome_metrics(self, outcomes: Outcomes) -> dict[str, float]:
        """Return the expected calibration error, see `Calibration`; nothing without samples."""
        if not len(outcomes):
            return {}
        confidences, predicted = outcomes.outputs.double().softmax(1).max(1)
        return {"ece": Calibration.of(confidences, predicted == outcomes.targets).error}

    def example_comparison(self) -> Batch:
        """Return random logits and the classes in turn."""
        num_classes = self.spec.num_outputs
        return random_like(8, num_classes), torch.arange(8) % num_classes

    def metric_options(self) -> dict[str, Any]:
        """Return the kind of classification and the number of classes."""
        return {"task": "binary"} if self.binary else {"task": "multiclass", "num_classes": self.spec.num_outputs}

    def comparisons(self, outputs: Tensor, targets: Tensor) -> list[Batch]:
        """Return the probabilities (batch, classes) and true classes (batch,).

        Metrics for two classes may take the probability of the second class (batch,); with `binary`, they get it if
        they can.
        """
        probabilities = outputs.softmax(1)
        forms = [(probabilities, targets)]
        if self.spec.num_outputs == 2:
            forms.insert(0 if self.binary else 1, (probabilities[:, 1], targets))
        return forms

    def class_logits(self, outputs: Tensor) -> Tensor:
        """Return one logit for each class (batch, classes); softmax turns them into probabilities.

        A single logit s becomes (0, s): the softmax is then the sigmoid of s, and the cross entropy the binary one.
        """
        return torch.cat([torch.zeros_like(outputs), outputs], 1) if self.binary else outputs

    def answers(self, raw: Tensor) -> dict[str, Tensor]:
        """Return `probabilities` (batch, classes), calibrated by the temperature."""
        logits = self.class_logits(self.network(self.preprocess(raw))).float()
        return {"probabilities": (logits if self.temperature == 1 else logits / self.temperature).softmax(1)}

    @torch.inference_mode()
    def predict_rows(self, raw: Tensor) -> list[dict[str, Any]]:
        """Return `label`, `probability`, `top_1` to `top_5` and `warning`; with a group, also its verdict and sums."""
        probabilities = self.answers(raw)["probabilities"].cpu()
        chosen = probabilities.argmax(1) if self.threshold is None else (probabilities[:, 1] >= self.threshold).long()
        values = probabilities.gather(1, chosen.unsqueeze(1)).squeeze(1)
        rows: list[dict[str, Any]] = [
            {"label": self.spec.labels[index], "probability": round(value, 6)}
            for index, value in zip(chosen.tolist(), values.tolist(), strict=True)
        ]
        columns: list[Sequence[dict[str, Any]]] = [
            ranked(probabilities, self.spec.labels, "top"),
            _undecided(probabilities),
        ]
        if self.group is not None:
            columns.insert(1, imagenet_groups.verdicts(self.group, probabilities))
        for parts in zip(rows, *columns, strict=True):
            for part in parts[1:]:
                parts[0].update(part)
        return rows

    def use_threshold(self, threshold: float) -> None:
        """Predict the second of two classes from this probability on.

        Raises:
            ValueError: there are more than two classes, or the threshold is not between 0 and 1.
        """
        if self.spec.num_outputs != 2:
            raise ValueError(
                f"predict.threshold={threshold:g}: must be null with {self.spec.num_outputs} classes, because it"
                " decides between two."
            )
        check_range("predict.threshold", threshold, above=0, below=1)
        self.threshold = threshold

    def use_group(self, group: str) -> None:
        imagenet_groups.check_labels(group, self.spec.labels)
        self.group = group

    def cells(self, row: dict[str, Any]) -> tuple[str, ...]:
        """Return the label and its probability; with a group, also the verdict and the sum over its classes."""
        found = row["label"], _percent(row["probability"])
        return found if self.group is None else (*found, row[self.group], _percent(row[f"{self.group}_probability"]))

    def details(self, row: dict[str, Any]) -> list[tuple[str, ...]]:
        """Return the most likely classes; with a group, also its verdict and sums."""
        pairs = [row[f"top_{place}"].rpartition("=") for place in range(1, TOP + 1) if f"top_{place}" in row]
        lines: list[tuple[str, ...]] = [(label, _percent(value)) for label, _, value in pairs]
        if self.group is None:
            return lines
        sums = ", ".join(f"{name} {row[name]:.2%}" for name in (*imagenet_groups.GROUPS[self.group], "neither"))
        verdict = f"{self.group}: {row[self.group]}", _percent(row[f"{self.group}_probability"]), f"({sums})"
        return [*((*line, "") for line in lines), verdict]


def _percent(probability: str | float) -> str:
    return f"{float(probability):7.2%}"


def _undecided(probabilities: Tensor) -> list[dict[str, str]]:
    """Return a warning for each sample whose probabilities are spread over more than half of the classes.

    The number of classes is the perplexity of the probabilities, the exponential of their entropy.

    Args:
        probabilities: (samples, classes).
    """
    num_classes = probabilities.shape[1]
    perplexities = torch.special.entr(probabilities).sum(1).exp().tolist()
    return [
        {"warning": f"undecided: between {value:.0f} of {num_classes} classes"}
        if num_classes >= _MIN_UNDECIDED and value > num_classes / 2
        else {"warning": ""}
        for value in perplexities
    ]
