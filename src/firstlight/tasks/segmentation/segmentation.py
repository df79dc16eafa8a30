"""Semantic segmentation: a class for each pixel."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from firstlight.augment import Augment
from firstlight.checks import check_range, choose
from firstlight.config.options import Transfer
from firstlight.data import Split
from firstlight.networks.network import Network
from firstlight.spec import IGNORED, DataSpec
from firstlight.tasks import class_balance
from firstlight.tasks.metrics.metric import LOSS, Metric
from firstlight.tasks.segmentation.losses import Loss
from firstlight.tasks.segmentation.meter import PixelMeter, confusions, overlaps
from firstlight.tasks.segmentation.overlay import in_colour, overlaid
from firstlight.tasks.task import Batch, Task, random_like

BALANCES = ("weights",)
_NUM_COUNTED = 2000  # training masks whose pixels are counted, at most
_NUM_SHOWN = 3  # classes in a caption


class Segmentation(Task):
    """Minimizes the difference between the network's logits (batch, classes, height, width) and masks (batch, height,
    width). Pixels of the number `spec.IGNORED` count neither in the loss nor in a metric.

    Args:
        spec: the data.
        network: returns one logit for each class and pixel, see `firstlight.networks.UNet`.
        augment: turns raw batches into the network's inputs, and masks into masks of their size.
        transfer: must set neither `head`, `freeze` nor `lr_decay`.
        loss: "cross_entropy", "dice", "focal", or a sum of them such as "cross_entropy+dice".
        gamma: exponent of the focal loss; with 0 it is the cross entropy.
        balance: "weights" weights the classes in the training loss in inverse proportion to their pixels in the
            training split; None does not.
        class_weights: the weight of each class in the training loss; None for equal weights.

    Raises:
        ValueError: an option is out of its range, `class_weights` does not hold one positive number for each class, or
            the network returns one output for each image.
    """

    target_kind = "masks"
    supports_freezing = False
    headline = ("mean_iou",)
    metrics = (LOSS, Metric("accuracy", "max"), Metric("mean_iou", "max"), Metric("dice", "max"))
    can_predict = True
    keeps_outcomes = True

    def __init__(
        self,
        spec: DataSpec,
        network: nn.Module,
        augment: Augment,
        transfer: Transfer | None = None,
        *,
        loss: str = "cross_entropy",
        gamma: float = 2.0,
        balance: str | None = None,
        class_weights: Sequence[float] | None = None,
    ) -> None:
        super().__init__(spec, network, augment, transfer)
        if isinstance(network, Network) and network.task != self.task_name:
            raise ValueError(
                "task=segmentation: must have a network that returns classes of pixels, such as model=unet, segnet or"
                f" fcn; {type(network).__name__} does not. (A class of your own says so by task = 'segmentation'.)"
            )
        check_range("gamma", gamma, at_least=0, below=math.inf)
        self.loss = Loss(loss, gamma)
        if balance is not None:
            choose("balance", balance, BALANCES, "way to balance classes")
            if class_weights is not None:
                raise ValueError("balance=weights: must be null if class_weights is set.")
        self.balance = balance
        weights = None if class_weights is None else class_balance.checked_weights(class_weights, spec.labels)
        self.register_buffer("class_weights", weights, persistent=False)
        self.class_weights: Tensor | None

    def output_shape(self) -> tuple[int, ...]:
        """Return (classes, height, width) at the network's size."""
        return (self.spec.num_outputs, *self.preprocess.output_spec.image_size)

    def adapt_to(self, train: Split, val: Split) -> list[str]:
        """Set the class weights if `balance` is "weights". Return a warning about classes without pixels."""
        places = torch.linspace(0, len(train) - 1, min(len(train), _NUM_COUNTED)).round().long()
        masks = train.part(places).own_targets
        counts = masks.flatten().bincount(minlength=IGNORED + 1)[: self.spec.num_outputs]
        if self.balance == "weights":
            self.class_weights = class_balance.class_weights(counts).to(self.device)
        missing = [label for label, count in zip(self.spec.labels, counts.tolist(), strict=True) if not count]
        if not missing:
            return []
        looked = f"the {len(masks):,} training masks" if len(masks) == len(train) else f"{len(masks):,} training masks"
        return [f"classes without a pixel in {looked}: {', '.join(missing)}"]

    def new_meter(self) -> PixelMeter:
        """Return an empty confusion matrix of pixels."""
        return PixelMeter(self.spec.num_outputs, self.device)

    def batch_loss(self, batch: Batch, meter: PixelMeter) -> Tensor:
        """Return the mean loss of a raw batch."""
        inputs, targets = self.prepared(batch)
        logits, masks = self.outputs(inputs), targets.long()
        loss = self.loss(logits, masks, self.class_weights if self.training else None)
        meter.update(logits, masks, loss)
        self.compare(logits, masks)
        return loss

    def compare(self, outputs: Tensor, targets: Tensor) -> None:
        """Update the added metrics, and the outcomes: of each image the confusion matrix of its pixels, the number of
        pixels that count, and 1 minus the mean IoU of the classes that occur. In evaluation only.

        Args:
            outputs: logits (batch, classes, height, width).
            targets: masks (batch, height, width).
        """
        if self.training:
            return
        if self.added is not None:
            self.added.update(self.comparisons(outputs.detach().float(), targets))
        if self.outcomes is not None:
            counts = confusions(outputs, targets)
            occurs = counts.sum(1) + counts.sum(2) > 0
            means = overlaps(counts)["iou"].sum(1) / occurs.sum(1).clamp_min(1)
            self.outcomes.add(counts.float(), counts.sum((1, 2)), 1 - means)

    def example_comparison(self) -> Batch:
        """Return random logits, and the classes in turn."""
        classes = self.spec.num_outputs
        return random_like(2, classes, 4, 4), torch.arange(32).view(2, 4, 4) % classes

    def metric_options(self) -> dict[str, Any]:
        """Return the number of classes, and which pixels are ignored."""
        return {"task": "multiclass", "num_classes": self.spec.num_outputs, "ignore_index": IGNORED}

    def comparisons(self, outputs: Tensor, targets: Tensor) -> list[Batch]:
        """Return the probabilities (batch, classes, height, width), or the predicted classes (batch, height, width),
        with the masks."""
        return [(outputs.softmax(1), targets), (outputs.argmax(1), targets)]

    def logits(self, raw: Tensor) -> Tensor:
        """Return the logits of raw images (batch, classes, height, width), at the network's size, float32."""
        found: Tensor = self.network(self.preprocess(raw))
        return found.float()

    def answers(self, raw: Tensor) -> dict[str, Tensor]:
        """Return `logits` (batch, classes, height, width) and `classes` (batch, height, width), at the network's
        size."""
        logits = self.logits(raw)
        return {"logits": logits, "classes": logits.argmax(1)}

    @torch.inference_mode()
    def predict_rows(self, raw: Tensor) -> list[dict[str, Any]]:
        """Return the fraction of the pixels of each class, by the name of the class."""
        columns = [_column(label) for label in self.spec.labels]
        rows = []
        for mask in self.logits(raw).argmax(1).flatten(1).cpu():
            fractions = mask.bincount(minlength=len(columns)).double() / len(mask)
            rows.append({name: round(value, 6) for name, value in zip(columns, fractions.tolist(), strict=True)})
        return rows

    def cells(self, row: dict[str, Any]) -> tuple[str, ...]:
        """Return the largest classes with their fractions, at most three."""
        return (" ".join(f"{name} {value:.1%}" for name, value in _largest(row)[:_NUM_SHOWN]),)

    def details(self, row: dict[str, Any]) -> list[tuple[str, ...]]:
        """Return the fraction of each class that occurs, the largest first."""
        return [(name, f"{value:7.2%}") for name, value in _largest(row)]

    @torch.inference_mode()
    def example_output(self, raw: Tensor) -> Tensor:
        """Return each image followed by itself under its predicted mask: (2 * batch, 3, height, width), from 0 to 1."""
        images, predicted = self._seen(raw)
        return torch.stack([in_colour(images), predicted], 1).flatten(0, 1)

    @torch.inference_mode()
    def figures(self, raw: Tensor, targets: Tensor | None = None, *, is_final: bool) -> dict[str, Tensor | str]:
        """Return `masks`: each image beside itself under its true and under its predicted mask, as one image (images,
        3, height, 3 * width); see `Task.figures`."""
        images, predicted = self._seen(raw)
        parts = [in_colour(images), predicted]
        if targets is not None:
            true = self.preprocess.with_places(targets, raw)
            parts.insert(1, overlaid(images, true, self.spec.num_outputs))
        return {"masks": torch.cat(parts, 3)}

    def _seen(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Return images as the network sees them, from 0 to 1, and the same under their predicted masks."""
        inputs = self.preprocess(raw)
        images = self.preprocess.to_pixels(inputs)
        return images, overlaid(images, self.network(inputs).argmax(1), self.spec.num_outputs)


def _column(label: str) -> str:
    """Return the column of a class; `warning` is the name of another column."""
    return "class warning" if label == "warning" else label


def _largest(row: dict[str, Any]) -> list[tuple[str, float]]:
    """Return the classes that occur and their fractions, the largest first."""
    return sorted(((name, value) for name, value in row.items() if value), key=lambda pair: -pair[1])
