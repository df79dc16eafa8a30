"""What detectors have in common: their metrics and their predictions."""

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor

from firstlight.checks import check_range
from firstlight.tasks.metrics.metric import Metric
from firstlight.tasks.objects.found import EDGES, Boxes, drawn, in_raw_pixels
from firstlight.tasks.objects.meter import DetectionMeter
from firstlight.tasks.task import Task


class Detector(Task):
    """Base class of the tasks that find every object in an image.

    Attributes:
        threshold: the probability from which on predictions list an object. Metrics do not depend on it.
    """

    target_kind = "boxes"
    evaluated_metrics = (Metric("map", "max"), Metric("map50", "max"))
    headline = ("map", "map50")
    supports_freezing = False
    can_predict = True
    predicts_boxes = True
    threshold: float

    def new_meter(self) -> DetectionMeter:
        """Return a meter that also ranks the objects in evaluation."""
        return DetectionMeter(self.metric_names, self.device, ranks=not self.training)

    @abstractmethod
    def objects(self, outputs: Tensor) -> list[Tensor]:
        """Return the objects of each image: edges in the network's pixels, class and probability (objects, 6).

        They are sorted by their probability, at most `MAX_OBJECTS` of an image.

        Args:
            outputs: what the network returns.
        """

    def _found(self, raw: Tensor) -> list[Tensor]:
        """Return the objects of each raw image that are listed (objects, 6), with their edges in its pixels."""
        found = self.objects(self.network(self.preprocess(raw)))
        height, width = self.preprocess.output_spec.image_size
        sides = torch.tensor([width, height] * 2, device=raw.device)
        listed = [each[each[:, 5] >= self.threshold] for each in found]
        return [
            torch.cat([in_raw_pixels(each[:, :4] / sides, raw, self.preprocess), each[:, 4:]], 1) for each in listed
        ]

    @torch.inference_mode()
    def predict_rows(self, raw: Tensor) -> list[dict[str, Any]]:
        """Return `objects`, their number, and `boxes`, the most probable first, see `Boxes`."""
        rows = [Boxes.of(found, self.spec.labels) for found in self._found(raw)]
        return [{"objects": len(row), "boxes": row} for row in rows]

    @torch.inference_mode()
    def example_output(self, raw: Tensor) -> Tensor:
        """Return the raw images (batch, 3, height, width) with the boxes that are found, from 0 to 1."""
        return drawn(raw.float() / 255, self._found(raw), self.spec.labels)

    def figures(self, raw: Tensor, targets: Tensor | None = None, *, is_final: bool) -> dict[str, Tensor | str]:
        """Return `boxes`, images (batch, 3, height, width) with the boxes that are found, and `true_boxes`."""
        true = {} if targets is None else {"true_boxes": drawn(raw.float() / 255, targets.unbind(), self.spec.labels)}
        return {"boxes": self.example_output(raw), **true}

    def use_threshold(self, threshold: float) -> None:
        check_range("predict.threshold", threshold, at_least=0, at_most=1)
        self.threshold = threshold

    def cells(self, row: dict[str, Any]) -> tuple[str, ...]:
        """Return how many objects of each class are found, the most probable first."""
        names = [box["label"] for box in row["boxes"]]
        counts = {name: names.count(name) for name in dict.fromkeys(names)}
        texts = [name if number == 1 else f"{number} x {name}" for name, number in counts.items()]
        return (", ".join(texts) or "no object",)

    def details(self, row: dict[str, Any]) -> list[tuple[str, ...]]:
        """Return the label, the probability and the edges of each object."""
        lines: list[tuple[str, ...]] = [("label", "probability", *EDGES)]
        for box in row["boxes"]:
            lines.append((box["label"], f"{box['probability']:.2%}", *(f"{box[name]:g}" for name in EDGES)))
        return lines if row["boxes"] else [("no object",)]
