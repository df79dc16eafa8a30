"""Detection: the class and the box of every object in an image."""

import torch
from torch import Tensor, nn

from firstlight.augment import Augment
from firstlight.checks import check_range
from firstlight.config.options import Transfer
from firstlight.spec import DataSpec
from firstlight.tasks.metrics.metric import LOSS, Metric
from firstlight.tasks.objects.average_precision import MAX_OBJECTS
from firstlight.tasks.objects.detector import Detector
from firstlight.tasks.objects.matching import around, detection_losses, match
from firstlight.tasks.objects.meter import DetectionMeter
from firstlight.tasks.task import Batch

_LOSSES = ("class_loss", "box_loss", "centre_loss")
_MAX_CANDIDATES = 1000  # of an image, before those that overlap are dropped


class Detection(Detector):
    """Minimizes the focal loss of the classes, 1 - GIoU of the boxes and the cross entropy of the centre-ness.

    Source: Tian, Shen, Chen & He 2019, "FCOS: fully convolutional one-stage object detection". The probability of an
    object is the geometric mean of those of its class and of its centre-ness. Of objects of one class that overlap,
    only the most probable is kept (non-maximum suppression).

    Args:
        spec: the data, with any number of objects in an image.
        network: a detector such as `networks.FCOS`.
        augment: turns raw batches into the network's inputs, and moves the boxes.
        transfer: which parts of the network learn, and when.
        alpha: weight of the places with an object in the focal loss; that of the background is 1 - alpha.
        gamma: exponent of the focal loss: above 0, places that are already right count less.
        radius: strides from the centre of an object within which places learn it; infinite for its whole box.
        threshold: the probability from which on predictions list an object. Metrics do not depend on it.
        min_probability: the probability from which on an object counts in the metrics.
        max_overlap: IoU above which the less probable of two objects of one class is dropped.

    Raises:
        ValueError: an option is out of its range, the targets are not boxes, or the network is no detector.
    """

    task_name = "detection"
    metrics: tuple[Metric, ...] = (LOSS, *(Metric(name, "min") for name in _LOSSES))
    needs = ("points", "strides", "reach")
    needs_description = "detects objects, such as model=fcos"

    def __init__(
        self,
        spec: DataSpec,
        network: nn.Module,
        augment: Augment,
        transfer: Transfer | None = None,
        *,
        alpha: float = 0.25,
        gamma: float = 2.0,
        radius: float = 1.5,
        threshold: float = 0.4,
        min_probability: float = 0.05,
        max_overlap: float = 0.5,
    ) -> None:
        super().__init__(spec, network, augment, transfer)
        check_range("alpha", alpha, above=0, below=1)
        check_range("gamma", gamma, at_least=0, below=float("inf"))
        check_range("radius", radius, above=0)
        check_range("threshold", threshold, at_least=0, at_most=1)
        check_range("min_probability", min_probability, at_least=0, below=1)
        check_range("max_overlap", max_overlap, above=0, at_most=1)
        self.alpha, self.gamma, self.radius = alpha, gamma, radius
        self.threshold, self.min_probability, self.max_overlap = threshold, min_probability, max_overlap

    def batch_loss(self, batch: Batch, meter: DetectionMeter) -> Tensor:
        """Return the mean loss of a raw batch. In evaluation, the meter gets the objects too."""
        inputs, targets = self.prepared(batch)
        outputs = self.network(inputs).float()
        places = self.network.points, self.network.strides, self.network.reach
        matched = match(*places, targets, self.radius)
        losses = detection_losses(*self.parts(outputs), matched, self.alpha, self.gamma)
        loss = torch.stack([*losses.values()]).sum()
        if len(inputs):  # one of several processes may get no samples of the last batch
            meter.add(len(inputs), {"loss": loss, **losses})
        if meter.ranks:
            meter.see(self.objects(outputs.detach()), targets)
        return loss

    def parts(self, outputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the logits (batch, places, classes), edges (batch, places, 4) and logits of the centre-ness."""
        logits, distances, centred = outputs.split([self.spec.num_outputs, 4, 1], 2)
        return logits, around(self.network.points, distances), centred[..., 0]

    def objects(self, outputs: Tensor) -> list[Tensor]:
        """Return the objects of each image: edges in the network's pixels, class and probability (objects, 6).

        They are sorted by their probability, at most `MAX_OBJECTS` of an image.

        Args:
            outputs: what the network returns (batch, places, classes + 5).
        """
        logits, edges, centred = self.parts(outputs.float())
        probabilities = (logits.sigmoid() * centred.sigmoid()[..., None]).sqrt()
        height, width = self.preprocess.output_spec.image_size
        limits = edges.new_tensor([width, height] * 2)
        edges = torch.minimum(edges.clamp_min(0), limits)
        return [self._suppressed(*each) for each in zip(edges, probabilities, strict=True)]

    def _suppressed(self, edges: Tensor, probabilities: Tensor) -> Tensor:
        """Return the objects (objects, 6) among places with edges (places, 4) and probabilities (places, classes)."""
        from torchvision.ops import batched_nms  # takes seconds to import

        flat = probabilities.flatten()
        best = flat.topk(min(_MAX_CANDIDATES, len(flat)))
        chosen = best.indices[best.values >= self.min_probability]
        places, classes = chosen // probabilities.shape[1], chosen % probabilities.shape[1]
        kept = batched_nms(edges[places], flat[chosen], classes, self.max_overlap)[:MAX_OBJECTS]
        return torch.cat([edges[places], classes[:, None], flat[chosen, None]], 1)[kept]
