"""Classification with localisation: one class and one box for each image."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from firstlight.augment import Augment
from firstlight.checks import check_range, choose
from firstlight.config.options import Transfer
from firstlight.data import Split
from firstlight.spec import NO_OBJECT, DataSpec
from firstlight.tasks.metrics.meters import Sums, means
from firstlight.tasks.metrics.metric import LOSS, Metric
from firstlight.tasks.objects.found import EDGES, Boxes, drawn, in_raw_pixels
from firstlight.tasks.objects.geometry import BOX_LOSSES, iou
from firstlight.tasks.task import Batch, Task

_RIGHT = 0.5  # from this IoU on, a box counts as right


class Localisation(Task):
    """Minimizes the cross entropy of the class plus a loss of the box, from one network with two kinds of outputs.

    The network is any that classifies images; its output layer has a logit for each class, and four numbers more. Their
    sigmoids are the centre and the size of the box, as fractions of the image. An image without an object counts
    neither in the losses nor in the metrics: augmentation may have moved it out of sight.

    Args:
        spec: the data, with one object in each image.
        network: returns (batch, classes + 4).
        augment: turns raw batches into the network's inputs, and moves the boxes.
        transfer: which parts of the network learn, and when.
        box_loss: "giou" (Rezatofighi et al. 2019, see `geometry.giou`) or "smooth_l1", of the edges as fractions of
            the image's sides (see `geometry.smooth_l1_loss`).
        box_weight: weight of the loss of the box; that of the cross entropy is 1.

    Raises:
        ValueError: an option is out of its range, the targets are not boxes, or an image has several objects.
    """

    target_kind = "boxes"
    metrics: tuple[Metric, ...] = (
        LOSS,
        *(Metric(name, "min") for name in ("class_loss", "box_loss")),
        *(Metric(name, "max") for name in ("iou", "accuracy", "both")),
    )
    headline = ("iou", "accuracy")
    can_predict = True
    predicts_boxes = True

    def __init__(
        self,
        spec: DataSpec,
        network: nn.Module,
        augment: Augment,
        transfer: Transfer | None = None,
        *,
        box_loss: str = "giou",
        box_weight: float = 2.0,
    ) -> None:
        super().__init__(spec, network, augment, transfer)
        check_range("box_weight", box_weight, at_least=0, below=float("inf"))
        self.box_loss = BOX_LOSSES[choose("box_loss", box_loss, BOX_LOSSES, "loss of boxes")]
        self.box_weight = box_weight

    @classmethod
    def network_spec(cls, spec: DataSpec, **options: Any) -> DataSpec:
        """Return the spec with four more outputs, for the box."""
        return replace(spec, num_outputs=spec.num_outputs + 4, labels=(*spec.labels, *EDGES), target_type="")

    def output_shape(self) -> tuple[int, ...]:
        """Return the number of logits, and four for the box."""
        return (self.spec.num_outputs + 4,)

    def adapt_to(self, train: Split, val: Split) -> list[str]:
        """Check that no image has several objects. Return a warning if some have none.

        Raises:
            ValueError: an image has several objects, or no image for training has one.
        """
        warnings = []
        for name, split in {"train": train, "val": val}.items():
            counts = _counts(split.own_targets)
            _check_counts(counts, name)
            if empty := int((counts == 0).sum()):
                warnings.append(f"{empty:,} of {len(counts):,} images in {name} have no object, and do not count")
            if name == "train" and empty == len(counts):
                raise ValueError("task=localisation: must have images with an object, and train has none.")
        return warnings

    def new_meter(self) -> Sums:
        """Return an empty meter of sums over the images with an object."""
        return Sums(("count", *self.metric_names), means, self.device)

    def batch_loss(self, batch: Batch, meter: Sums) -> Tensor:
        """Return the mean loss of the images of a raw batch that have an object; 0 if none has one."""
        inputs, targets = self.prepared(batch)
        if not self.training:
            _check_counts(_counts(targets), "the split")
        classes, true = self._single(targets)
        logits, edges = self.parts(self.outputs(inputs))
        is_object = classes != NO_OBJECT
        class_losses = F.cross_entropy(logits, classes, reduction="none", ignore_index=NO_OBJECT)
        box_losses = torch.where(is_object, self.box_loss(edges, true), 0.0)
        losses = class_losses + self.box_weight * box_losses
        overlap = iou(edges.detach().clamp(0, 1), true)
        is_right = logits.argmax(1) == classes
        meter.add(
            count=is_object.sum(),
            loss=losses.sum(),
            class_loss=class_losses.sum(),
            box_loss=box_losses.sum(),
            iou=(overlap * is_object).sum(),
            accuracy=is_right.sum(),
            both=(is_right & (overlap >= _RIGHT)).sum(),
        )
        return losses.sum() / is_object.sum().clamp_min(1)

    def _single(self, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the class (batch,) and the box (batch, 4) of each image, as fractions of its sides."""
        place = (targets[..., 4] != NO_OBJECT).to(torch.uint8).argmax(1)
        chosen = targets[torch.arange(len(targets), device=targets.device), place]
        return chosen[:, 4].long(), chosen[:, :4] / self._sides()

    def _sides(self) -> Tensor:
        height, width = self.preprocess.output_spec.image_size
        return torch.tensor([width, height, width, height], dtype=torch.float32, device=self.device)

    def parts(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits (batch, classes), and the edges of the boxes as fractions of the image (batch, 4)."""
        logits, centre, size = outputs.float().split([self.spec.num_outputs, 2, 2], 1)
        centre, half = centre.sigmoid(), size.sigmoid() / 2
        return logits, torch.cat([centre - half, centre + half], 1)

    def answers(self, raw: Tensor) -> dict[str, Tensor]:
        """Return `probabilities` (batch, classes) and `boxes` (batch, 4), as fractions of what the network sees."""
        logits, edges = self.parts(self.network(self.preprocess(raw)))
        return {"probabilities": logits.softmax(1), "boxes": edges.clamp(0, 1)}

    @torch.inference_mode()
    def predict_rows(self, raw: Tensor) -> list[dict[str, Any]]:
        """Return `label`, `probability`, and `boxes` with the only box, see `Boxes`."""
        rows = [Boxes.of(found[None], self.spec.labels) for found in self._objects(raw)]
        return [{"label": row[0]["label"], "probability": row[0]["probability"], "boxes": row} for row in rows]

    def _objects(self, raw: Tensor) -> Tensor:
        """Return the object of each raw image: edges in its pixels, class and probability (batch, 6)."""
        found = self.answers(raw)
        best = found["probabilities"].max(1)
        edges = in_raw_pixels(found["boxes"], raw, self.preprocess)
        return torch.cat([edges, best.indices[:, None], best.values[:, None]], 1)

    @torch.inference_mode()
    def example_output(self, raw: Tensor) -> Tensor:
        """Return the raw images (batch, 3, height, width) with the boxes that are found, from 0 to 1."""
        return drawn(raw.float() / 255, [found[None] for found in self._objects(raw)], self.spec.labels)

    def figures(self, raw: Tensor, targets: Tensor | None = None, *, is_final: bool) -> dict[str, Tensor | str]:
        """Return `boxes`, images (batch, 3, height, width) with the boxes that are found, and `true_boxes`."""
        true = {} if targets is None else {"true_boxes": drawn(raw.float() / 255, targets.unbind(), self.spec.labels)}
        return {"boxes": self.example_output(raw), **true}

    def cells(self, row: dict[str, Any]) -> tuple[str, ...]:
        """Return the label, its probability and the edges of the box."""
        (box,) = row["boxes"]
        return row["label"], f"{row['probability']:7.2%}", " ".join(f"{box[name]:.0f}" for name in EDGES)

    def details(self, row: dict[str, Any]) -> list[tuple[str, ...]]:
        """Return the label, and each edge of the box."""
        (box,) = row["boxes"]
        return [(row["label"], f"{row['probability']:.2%}"), *((name, f"{box[name]:g}") for name in EDGES)]


def _counts(targets: Tensor) -> Tensor:
    """Return the number of objects of each image (images,)."""
    return (targets[..., 4] != NO_OBJECT).sum(1)


def _check_counts(counts: Tensor, split: str) -> None:
    if len(counts) and int(counts.max()) > 1:
        sample = int(counts.argmax())
        raise ValueError(
            f"task=localisation: must be detection, because sample {sample:,} of {split} has {int(counts[sample])}"
            " objects, and this task finds one."
        )
