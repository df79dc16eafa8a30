"""Regression: numbers from numbers or images."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from firstlight.augment import Augment
from firstlight.checks import choose
from firstlight.config.options import Transfer
from firstlight.spec import DataSpec
from firstlight.tasks.metrics.meters import Sums, Totals
from firstlight.tasks.metrics.metric import LOSS, Metric
from firstlight.tasks.task import Batch, Task, random_like

LOSSES: dict[str, Callable[..., Tensor]] = {"mse": F.mse_loss, "mae": F.l1_loss, "huber": F.huber_loss}


class Regression(Task):
    """Minimizes the distance between the network's outputs (batch, targets) and the true numbers (batch, targets).

    The network learns targets of mean 0 and standard deviation 1, so one learning rate suits all units. The metrics
    are in the units of the data. R² is 1 minus the squared errors divided by the variation of the targets. The
    explained variance is the same without the mean error: where it is higher than R², the predictions are biased.

    Args:
        spec: the data.
        network: returns one number for each target.
        augment: turns raw batches into the network's inputs.
        transfer: which parts of the network learn, and when.
        loss: "mse", "mae" or "huber" (Huber 1964; quadratic up to one standard deviation), of standardized targets.

    Raises:
        ValueError: the loss is unknown, or the targets are not numbers.
    """

    target_kind = "numbers"
    supports_feature_cache = True
    evaluates_untrained = True
    metrics: tuple[Metric, ...] = (
        LOSS,
        *(Metric(name, "min") for name in ("mse", "rmse", "mae")),
        *(Metric(name, "max") for name in ("r2", "explained_variance")),
    )
    headline = ("mse", "r2")
    can_predict = True
    keeps_outcomes = True

    def __init__(
        self,
        spec: DataSpec,
        network: nn.Module,
        augment: Augment,
        transfer: Transfer | None = None,
        *,
        loss: str = "mse",
    ) -> None:
        super().__init__(spec, network, augment, transfer)
        self.loss = LOSSES[choose("loss", loss, LOSSES, "loss")]
        self.register_buffer("target_mean", torch.tensor(spec.target_mean), persistent=False)
        self.register_buffer("target_std", torch.tensor(spec.target_std), persistent=False)
        self.target_mean: Tensor
        self.target_std: Tensor

    def output_shape(self) -> tuple[int, ...]:
        """Return the number of targets."""
        return (self.spec.num_outputs,)

    @property
    def is_line(self) -> bool:
        """Whether the network is a line, and neither inputs nor targets are standardized."""
        spec, sizes = self.spec, [value.numel() for value in self.network.parameters()]
        is_plain = spec.mean == (0.0,) and spec.std == spec.target_std == (1.0,) and spec.target_mean == (0.0,)
        return spec.input_shape == (1,) and sizes == [1, 1] and is_plain

    def result_line(self) -> str | None:
        """Return the straight line that a linear network of one input represents, in the units of the data."""
        if not self.network.is_linear or self.spec.input_shape != (1,) or self.spec.num_outputs != 1:
            return None
        with torch.inference_mode():
            ends = self.network(self.preprocess(torch.tensor([[0.0], [1.0]], device=self.device)))
            intercept, at_one = (ends * self.target_std + self.target_mean).flatten().tolist()
        sign = "-" if intercept < 0 else "+"
        return f"{self.spec.labels[0]} = {at_one - intercept:.4f} x {sign} {abs(intercept):.4f}"

    def answers(self, raw: Tensor) -> dict[str, Tensor]:
        """Return `numbers` (batch, targets), in the units of the data."""
        return {"numbers": self.network(self.preprocess(raw)).float() * self.target_std + self.target_mean}

    @torch.inference_mode()
    def predict_rows(self, raw: Tensor) -> list[dict[str, Any]]:
        """Return the predicted number of each target, in the units of the data, in a column of the target's name."""
        numbers = self.answers(raw)["numbers"].cpu()
        return [dict(zip(self.spec.labels, row, strict=True)) for row in numbers.tolist()]

    def new_meter(self) -> Sums:
        """Return an empty meter that sums the errors over all target numbers."""
        names = ("count", "loss", "error", "squared", "absolute", "target", "target_squared")
        return Sums(names, _metrics, self.device)

    def batch_loss(self, batch: Batch, meter: Sums) -> Tensor:
        """Return the mean loss of a raw batch, of standardized targets."""
        inputs, targets = self.prepared(batch)
        outputs = self.outputs(inputs)
        standardized = (targets - self.target_mean) / self.target_std
        loss = self.loss(outputs, standardized)
        if targets.numel():  # one of several processes may get no samples of the last batch
            errors = (outputs.detach() - standardized) * self.target_std
            meter.add(
                count=targets.numel(),
                loss=loss * targets.numel(),
                error=errors.sum(),
                squared=errors.square().sum(),
                absolute=errors.abs().sum(),
                # Relative to the mean, which keeps the squares small. Several targets have one common R².
                target=(standardized * self.target_std).sum(),
                target_squared=(standardized * self.target_std).square().sum(),
            )
        self.compare(outputs, targets)
        return loss

    def outcome(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the predicted numbers (batch, targets), in the units of the data, and the loss of each sample."""
        losses = self.loss(outputs, (targets - self.target_mean) / self.target_std, reduction="none")
        return outputs * self.target_std + self.target_mean, losses.mean(1)

    def example_comparison(self) -> Batch:
        """Return random outputs and targets."""
        outputs, targets = random_like(2, 8, self.spec.num_outputs)
        return outputs, targets

    def comparisons(self, outputs: Tensor, targets: Tensor) -> list[Batch]:
        """Return predicted and true numbers in the units of the data: (batch, targets), or (batch,) for one target."""
        device = outputs.device
        predicted = outputs * self.target_std.to(device) + self.target_mean.to(device)
        return [(predicted[:, 0], targets[:, 0])] if self.spec.num_outputs == 1 else [(predicted, targets)]


def _metrics(sums: Totals) -> Totals:
    count = max(1.0, sums["count"])
    mse = sums["squared"] / count
    bias = sums["error"] ** 2 / count
    variation = sums["target_squared"] - sums["target"] ** 2 / count
    return {
        "loss": sums["loss"] / count,
        "mse": mse,
        "rmse": mse**0.5,
        "mae": sums["absolute"] / count,
        "r2": 1 - sums["squared"] / variation if variation > 0 else float("nan"),
        "explained_variance": 1 - (sums["squared"] - bias) / variation if variation > 0 else float("nan"),
    }
