"""Detection by networks that compute their losses themselves, as torchvision's do."""

import torch
from torch import Tensor, nn

from firstlight.augment import Augment
from firstlight.checks import check_range
from firstlight.config.options import Transfer
from firstlight.randomness import derive, reseed
from firstlight.spec import DataSpec
from firstlight.tasks.metrics.metric import LOSS, Metric
from firstlight.tasks.objects.detector import Detector
from firstlight.tasks.objects.meter import DetectionMeter
from firstlight.tasks.task import Batch


class TorchvisionDetection(Detector):
    """Minimizes the losses of the classes and of the boxes that a detector of torchvision computes.

    Args:
        spec: the data, with any number of objects in an image.
        network: a detector such as `networks.RetinaNet`, with a method `losses`.
        augment: turns raw batches into the network's inputs, and moves the boxes.
        transfer: which parts of the network learn, and when.
        threshold: the probability from which on predictions list an object. Metrics do not depend on it.

    Raises:
        ValueError: the threshold is out of its range, the targets are not boxes, or the network lacks `losses`.
    """

    task_name = "torchvision_detection"
    metrics: tuple[Metric, ...] = (LOSS, Metric("class_loss", "min"), Metric("box_loss", "min"))
    needs = ("losses",)
    needs_description = "computes its losses itself, such as model=retinanet"

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
        check_range("threshold", threshold, at_least=0, at_most=1)
        self.threshold = threshold

    def batch_loss(self, batch: Batch, meter: DetectionMeter) -> Tensor:
        """Return the mean loss of a raw batch. In evaluation, the meter gets the objects too."""
        inputs, targets = self.prepared(batch)
        if not len(inputs):  # one of several processes may get no samples of the last batch
            return torch.stack([each.sum() for each in self.network.parameters()]).sum() * 0
        if not self.training:
            reseed(derive(0, "proposals", len(inputs)), self.device)  # Faster R-CNN draws the boxes that count
        losses = {name: loss.float() for name, loss in self.network.losses(inputs, targets).items()}
        loss = torch.stack([*losses.values()]).sum()
        meter.add(len(inputs), {"loss": loss, **losses})
        if meter.ranks:
            meter.see(self.objects(self.network(inputs)), targets)
        return loss

    def objects(self, outputs: Tensor) -> list[Tensor]:
        """Return the objects of each image (objects, 6), see `Detector.objects`.

        Args:
            outputs: what the network returns (batch, objects, 6).
        """
        return [each[each[:, 5] > 0].float() for each in outputs]
