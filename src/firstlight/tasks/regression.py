"""Numbers from numbers or images."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from firstlight.augment import Augment
from firstlight.checks import choose
from firstlight.networks import Linear
from firstlight.spec import DataSpec
from firstlight.tasks.recipe import Recipe
from firstlight.tasks.sums import Sums, Totals
from firstlight.tasks.task import Batch, Task

LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"mse": F.mse_loss, "mae": F.l1_loss, "huber": F.huber_loss}


class Regression(Task):
    """The network's outputs (batch, targets) come near the true numbers (batch, targets).

    Inside, targets have mean 0 and deviation 1, so that one learning rate suits all units; the metrics count in the
    units of the data. R² is one minus the squared errors' share of the targets' own variation.

    Args:
        spec: of the data.
        network: gives one number per target.
        augment: from raw batches to the network's inputs.
        recipe: how to train.
        loss: mse, mae or huber (Huber 1964, quadratic up to one deviation), of standardised targets.
        l1: weight of the sum of the absolute weights in the loss of training: lasso (Tibshirani 1996). Biases are
            free. Ridge regression is the optimizer's `weight_decay`.

    Raises:
        ValueError: an unknown loss, a negative weight, or data without numbers as targets.
    """

    target_kind = "numbers"
    supports_feature_cache = True
    evaluates_untrained = True
    metric_names = ("loss", "mse", "rmse", "mae", "r2")

    def __init__(
        self,
        spec: DataSpec,
        network: nn.Module,
        augment: Augment,
        recipe: Recipe | None = None,
        *,
        loss: str = "mse",
        l1: float = 0.0,
    ) -> None:
        super().__init__(spec, network, augment, recipe)
        choose("loss", loss, LOSSES, "loss")
        if not 0 <= l1 < math.inf:
            raise ValueError(f"l1={l1}: a weight is 0 or more.")
        self.loss = LOSSES[loss]
        self.l1 = l1
        self.register_buffer("target_mean", torch.tensor(spec.target_mean), persistent=False)
        self.register_buffer("target_std", torch.tensor(spec.target_std), persistent=False)
        self.target_mean: Tensor
        self.target_std: Tensor

    def in_words(self) -> str | None:
        """The straight line that a linear network of one input is, in the units of the data."""
        if not isinstance(self.network, Linear) or self.spec.input_shape != (1,) or self.spec.num_outputs != 1:
            return None
        with torch.inference_mode():
            ends = self.network(self.preprocess(torch.tensor([[0.0], [1.0]], device=self.device)))
            intercept, at_one = (ends * self.target_std + self.target_mean).flatten().tolist()
        sign = "-" if intercept < 0 else "+"
        return f"{self.spec.labels[0]} = {at_one - intercept:.4f} x {sign} {abs(intercept):.4f}"

    def new_meter(self) -> Sums:
        """Sums over all numbers that are to be told."""
        names = ("count", "loss", "squared", "absolute", "target", "target_squared")
        return Sums(names, _scores, self.device)

    def batch_loss(self, batch: Batch, meter: Sums) -> Tensor:
        """Mean loss of a raw batch, in standardised units."""
        inputs, targets = self.prepared(batch)
        outputs = self.outputs(inputs)
        standardised = (targets - self.target_mean) / self.target_std
        loss = self.loss(outputs, standardised)
        if targets.numel():  # a process may have no share of the last batch
            errors = (outputs.detach() - standardised) * self.target_std
            meter.add(
                count=targets.numel(),
                loss=loss * targets.numel(),
                squared=errors.square().sum(),
                absolute=errors.abs().sum(),
                # From the mean, which keeps the squares small; several targets share one R².
                target=(standardised * self.target_std).sum(),
                target_squared=(standardised * self.target_std).square().sum(),
            )
        if self.training and self.l1:
            weights = [value for value in self.network.parameters() if value.ndim > 1]
            loss = loss + self.l1 * torch.stack([weight.abs().sum() for weight in weights]).sum()
        return loss


def _scores(sums: Totals) -> Totals:
    count = max(1.0, sums["count"])
    mse = sums["squared"] / count
    variation = sums["target_squared"] - sums["target"] ** 2 / count
    return {
        "loss": sums["loss"] / count,
        "mse": mse,
        "rmse": mse**0.5,
        "mae": sums["absolute"] / count,
        "r2": 1 - sums["squared"] / variation if variation > 0 else float("nan"),
    }
