"""Anomaly detection: what an autoencoder has not learned to reconstruct is unusual."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from firstlight.augment import Augment
from firstlight.checks import check_range, choose
from firstlight.config.options import Transfer
from firstlight.data import Split
from firstlight.spec import DataSpec
from firstlight.tasks.metrics.metric import Metric
from firstlight.tasks.reconstruction import Reconstruction
from firstlight.tasks.representations.error_histogram import ErrorHistogram
from firstlight.tasks.task import Batch

_AUROC = Metric("auroc", "max")


class Anomaly(Reconstruction):
    """Trains an autoencoder on one class, whose images are normal. An image that it reconstructs badly is an anomaly.

    The error of an image is the mean squared error of the pixels of its reconstruction (Sakurada & Yairi 2014). The
    metric `auroc` of validation and test says how well errors separate the images of other classes from normal ones: 1
    is perfect, 0.5 is chance. All other metrics are those of the normal images. The errors of normal images of the
    validation split decide from which error on predictions say `anomaly`; images of other classes have no part in that.

    Args:
        spec: the data; images with classes.
        network: has `reconstruct`, see `firstlight.networks.Autoencoder`.
        augment: turns raw batches into the network's inputs.
        transfer: must set neither `head`, `freeze` nor `lr_decay`.
        normal: the class whose images are normal, by its name.
        quantile: fraction of the normal images of the validation split whose errors the threshold exceeds.
        loss: see `Reconstruction`.
        kl_weight: see `Reconstruction`.

    Attributes:
        threshold: errors above it are those of anomalies; 0 before the first validation. Checkpoints hold it.

    Raises:
        ValueError: the class is unknown, a number is out of its range, or the network does not reconstruct images.
    """

    task_name = "anomaly"
    target_kind = "classes"
    headline = ("mse", "auroc")

    def __init__(
        self,
        spec: DataSpec,
        network: nn.Module,
        augment: Augment,
        transfer: Transfer | None = None,
        *,
        normal: str | int | None = None,
        quantile: float = 0.95,
        loss: str = "mse",
        kl_weight: float = 1.0,
    ) -> None:
        super().__init__(spec, network, augment, transfer, loss=loss, kl_weight=kl_weight)
        check_range("quantile", quantile, above=0, below=1)
        if normal is None:
            raise ValueError(f"normal=null: must be the normal class; known: {', '.join(spec.labels)}.")
        self.normal = spec.labels.index(choose("normal", str(normal), spec.labels, "class"))
        self.quantile = quantile
        self.register_buffer("threshold", torch.tensor(0.0))
        self.threshold: Tensor
        self._sets_threshold = False

    def metrics_of(self, split: str) -> tuple[Metric, ...]:
        """Return the metrics of a split; training has normal images alone, and no `auroc`."""
        found = super().metrics_of(split)
        return found if split == "train" else (*found, _AUROC)

    def training_samples(self, train: Split) -> Split:
        """Return the normal images.

        Raises:
            ValueError: there are none.
        """
        rows = (train.own_targets == self.normal).nonzero()[:, 0]
        if not len(rows):
            name = self.spec.labels[self.normal]
            raise ValueError(f"task.normal={name}: must be a class with images in the training split.")
        return train.part(rows)

    def begin_validation(self, epoch: int) -> None:
        """Let this validation set the threshold."""
        self._sets_threshold = True

    def new_meter(self) -> "_Meter":
        """Return a meter of sums over normal images and of the errors of all, at zero."""
        meter = _Meter(("count", "loss", "mse", "kl"), self._metrics, self.device)
        meter.is_training, meter.sets_threshold = self.training, self._sets_threshold
        self._sets_threshold = False
        return meter

    def batch_loss(self, batch: Batch, meter: Any) -> Tensor:
        """Return the mean loss, a scalar, of the normal images of a raw batch (batch, ...). Training has no others."""
        if self.training:
            return super().batch_loss(batch, meter)
        raw, targets = batch
        is_normal = targets == self.normal
        meter.add_errors(self.errors(raw), ~is_normal)
        if meter.sets_threshold:  # now, while an average of the weights may be in place of the weights
            self.threshold.copy_(meter.quantile(self.quantile))
        return super().batch_loss((raw[is_normal], targets[is_normal]), meter)

    def errors(self, raw: Tensor) -> Tensor:
        """Return the mean squared error of the pixels of each raw image (batch, channels, height, width): (batch,)."""
        inputs = self.preprocess(raw)
        pixels = self.as_pixels(self.network.reconstruct(inputs)[0]).float()
        return (pixels - self.preprocess.to_pixels(inputs)).square().flatten(1).mean(1)

    def answers(self, raw: Tensor) -> dict[str, Tensor]:
        """Return the answers of `Reconstruction`, and `errors` (batch,)."""
        return {**super().answers(raw), "errors": self.errors(raw)}

    @torch.inference_mode()
    def predict_rows(self, raw: Tensor) -> list[dict[str, Any]]:
        """Return the `error` of each image, the `threshold`, and the `verdict`: "normal" or "anomaly"."""
        threshold = float(self.threshold)
        return [
            {
                "error": round(error, 8),
                "threshold": round(threshold, 8),
                "verdict": "anomaly" if error > threshold else "normal",
            }
            for error in self.errors(raw).tolist()
        ]

    def use_threshold(self, threshold: float) -> None:
        check_range("predict.threshold", threshold, at_least=0, below=math.inf)
        self.threshold.fill_(threshold)

    def cells(self, row: dict[str, Any]) -> tuple[str, ...]:
        """Return the verdict and the error."""
        return row["verdict"], f"error {row['error']:.6f}"

    def details(self, row: dict[str, Any]) -> list[tuple[str, ...]]:
        """Return the verdict, the error and the threshold."""
        return [("verdict", row["verdict"]), *((name, f"{row[name]:.6f}") for name in ("error", "threshold"))]


class _Meter(ErrorHistogram):
    """Sums over normal images, with the area under the curve of all errors."""

    is_training: bool
    sets_threshold: bool

    def compute(self) -> dict[str, float]:
        """Return the metrics of the pass; `auroc` in evaluation alone."""
        return super().compute() | ({} if self.is_training else {"auroc": self.auroc})
