"""Detectors of torchvision, which compute their losses themselves."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from firstlight.checks import check_range, choose
from firstlight.networks.network import Network, image_shape
from firstlight.spec import NO_OBJECT, DataSpec
from firstlight.transfer.pretrained import Pretrained
from firstlight.transfer.torchvision_weights import detector_from_torchvision

_MAX_OBJECTS = 100  # of an image, as COCO counts them
_NUM_LEVELS = 5  # of the feature pyramid of a ResNet
_RESNETS = ("resnet18", "resnet34", "resnet50")
_MOBILE = "mobilenet_v3_large"
_FASTER = {
    "resnet50": "fasterrcnn_resnet50_fpn",
    _MOBILE: "fasterrcnn_mobilenet_v3_large_fpn",
}  # with published weights
_RATIOS = (0.5, 1.0, 2.0)  # height over width of the anchor boxes


class TorchvisionDetector(Network):
    """Base class of torchvision's detectors.

    Shapes: (batch, 1 or 3, height, width) -> (batch, 100, 6): the edges of each object in pixels, its class and its
    probability, the most probable first. Rows with the probability 0 are empty.

    Args:
        detector: the module of torchvision.
        first_class: number that the detector gives to the first class; 1 if 0 is the background.
    """

    accepts: ClassVar[str] = "images"
    task: ClassVar[str] = "torchvision_detection"
    min_size: ClassVar[int] = 32
    weights_prefix: ClassVar[str] = "detector."

    def __init__(self, detector: nn.Module, first_class: int) -> None:
        super().__init__()
        self.detector = detector
        self.first_class = first_class

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, 1 or 3, height, width) -> (batch, 100, 6)."""
        with self._mode(is_training=False):
            found = self.detector(list(_coloured(inputs)))
        return torch.stack([self._rows(each) for each in found])

    def _rows(self, found: Mapping[str, Tensor]) -> Tensor:
        """Return the objects of an image as rows (100, 6), with empty rows after the last one."""
        classes = found["labels"] - self.first_class
        objects = torch.cat([found["boxes"], classes[:, None], found["scores"][:, None]], 1)
        return F.pad(objects, (0, 0, 0, _MAX_OBJECTS - len(objects)))

    def losses(self, inputs: Tensor, boxes: Tensor) -> dict[str, Tensor]:
        """Return the losses `class_loss` and `box_loss`, in evaluation too. The modes of all layers stay as they are.

        Args:
            inputs: (batch, 1 or 3, height, width).
            boxes: (batch, objects, 5), edges in pixels and class; see `Split`.
        """
        targets = [self._target(each) for each in boxes]
        with self._mode(is_training=True):
            found = self.detector(list(_coloured(inputs)), targets)
        sums = {"class_loss": inputs.new_zeros(()), "box_loss": inputs.new_zeros(())}
        for name, loss in found.items():  # loss_box_reg, loss_rpn_box_reg and bbox_regression, and those of classes
            key = "box_loss" if "box" in name else "class_loss"
            sums[key] = sums[key] + loss
        return sums

    def _target(self, boxes: Tensor) -> dict[str, Tensor]:
        edges, classes = boxes[:, :4], boxes[:, 4].long()
        kept = (classes != NO_OBJECT) & (edges[:, 2:] > edges[:, :2]).all(1)  # torchvision refuses boxes without area
        return {"boxes": edges[kept], "labels": classes[kept] + self.first_class}

    @contextmanager
    def _mode(self, *, is_training: bool) -> Iterator[None]:
        """Set the mode of the parts that return either losses or objects, but not that of their layers."""
        stages = (getattr(self.detector, name, None) for name in ("rpn", "roi_heads"))  # of Faster R-CNN
        parts = [self.detector, *(stage for stage in stages if stage is not None)]
        modes = [part.training for part in parts]
        for part in parts:
            part.training = is_training
        try:
            yield
        finally:
            for part, mode in zip(parts, modes, strict=True):
                part.training = mode

    @classmethod
    @abstractmethod
    def pretrained(cls, weights: str, /, **options: Any) -> Pretrained | None:
        """Return torchvision's weights of this name."""


class RetinaNet(TorchvisionDetector):
    """RetinaNet: a detector of one stage, with anchor boxes and the focal loss.

    Source: Lin, Goyal, Girshick, He & Dollar 2017, "Focal loss for dense object detection".

    Args:
        spec: spec of the data; images of at least 32x32, grey or with three colours.
        backbone: resnet18, resnet34 or resnet50. There are published weights for resnet50.
        anchor_size: side of the smallest anchor boxes, in pixels; those of each further level are twice as large.
        min_probability: the probability from which on an object is returned.
        max_overlap: IoU above which the less probable of two objects of one class is dropped.

    Raises:
        ValueError: the images are too small or have other colours, or an option is unknown or out of its range.
    """

    head_names: tuple[str, ...] = ("detector.head.classification_head.cls_logits",)

    def __init__(
        self,
        spec: DataSpec,
        *,
        backbone: str = "resnet50",
        anchor_size: int = 32,
        min_probability: float = 0.05,
        max_overlap: float = 0.5,
    ) -> None:
        choose("backbone", backbone, _RESNETS, "backbone")
        common = _common_options(self, spec, anchor_size, min_probability, max_overlap)
        from torchvision.models.detection import RetinaNet as Detector
        from torchvision.models.detection.anchor_utils import AnchorGenerator
        from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
        from torchvision.ops.feature_pyramid_network import LastLevelP6P7

        pyramid = resnet_fpn_backbone(
            backbone_name=backbone,
            weights=None,
            norm_layer=nn.BatchNorm2d,
            trainable_layers=5,
            returned_layers=[2, 3, 4],
            extra_blocks=LastLevelP6P7(256, 256),
        )
        sides = [anchor_size * 2**level for level in range(_NUM_LEVELS)]
        sizes = tuple(tuple(int(side * 2 ** (third / 3)) for third in range(3)) for side in sides)
        anchors = AnchorGenerator(sizes, (_RATIOS,) * _NUM_LEVELS)
        options = {"score_thresh": min_probability, "nms_thresh": max_overlap, "detections_per_img": _MAX_OBJECTS}
        super().__init__(Detector(pyramid, spec.num_outputs, anchor_generator=anchors, **options, **common), 0)

    @classmethod
    def pretrained(cls, weights: str, /, *, backbone: str = "resnet50", **_: Any) -> Pretrained | None:
        """Return torchvision's weights of this name, trained on COCO; None for a backbone without weights.

        Raises:
            ValueError: the name of the weights is unknown.
        """
        return detector_from_torchvision("retinanet_resnet50_fpn", weights) if backbone == "resnet50" else None


class FasterRCNN(TorchvisionDetector):
    """Faster R-CNN: one network proposes boxes, and a second stage says what each of them holds.

    Source: Ren, He, Girshick & Sun 2015, "Faster R-CNN: towards real-time object detection with region proposal
    networks", with a feature pyramid (Lin et al. 2017).

    Args:
        spec: spec of the data; images of at least 32x32, grey or with three colours.
        backbone: resnet18, resnet34, resnet50 or mobilenet_v3_large. There are published weights for the last two.
        anchor_size: side of the smallest anchor boxes, in pixels; those of each further size are twice as large.
        min_probability: the probability from which on an object is returned.
        max_overlap: IoU above which the less probable of two objects of one class is dropped.

    Raises:
        ValueError: the images are too small or have other colours, or an option is unknown or out of its range.
    """

    head_names: tuple[str, ...] = (
        "detector.roi_heads.box_predictor.cls_score",
        "detector.roi_heads.box_predictor.bbox_pred",
    )

    def __init__(
        self,
        spec: DataSpec,
        *,
        backbone: str = "mobilenet_v3_large",
        anchor_size: int = 32,
        min_probability: float = 0.05,
        max_overlap: float = 0.5,
    ) -> None:
        choose("backbone", backbone, (*_RESNETS, _MOBILE), "backbone")
        common = _common_options(self, spec, anchor_size, min_probability, max_overlap)
        from torchvision.models.detection import FasterRCNN as Detector
        from torchvision.models.detection.anchor_utils import AnchorGenerator
        from torchvision.models.detection.backbone_utils import mobilenet_backbone, resnet_fpn_backbone

        sides = tuple(anchor_size * 2**level for level in range(_NUM_LEVELS))
        if backbone == _MOBILE:
            pyramid = mobilenet_backbone(
                backbone_name=backbone, weights=None, fpn=True, norm_layer=nn.BatchNorm2d, trainable_layers=6
            )
            anchors = AnchorGenerator((sides,) * 3, (_RATIOS,) * 3)
        else:
            pyramid = resnet_fpn_backbone(
                backbone_name=backbone, weights=None, norm_layer=nn.BatchNorm2d, trainable_layers=5
            )
            anchors = AnchorGenerator(tuple((side,) for side in sides), (_RATIOS,) * _NUM_LEVELS)
        options = {
            "box_score_thresh": min_probability,
            "box_nms_thresh": max_overlap,
            "box_detections_per_img": _MAX_OBJECTS,
        }
        number = spec.num_outputs + 1  # 0 is the background
        super().__init__(Detector(pyramid, number, rpn_anchor_generator=anchors, **options, **common), 1)

    @classmethod
    def pretrained(cls, weights: str, /, *, backbone: str = "mobilenet_v3_large", **_: Any) -> Pretrained | None:
        """Return torchvision's weights of this name, trained on COCO; None for a backbone without weights.

        Raises:
            ValueError: the name of the weights is unknown.
        """
        name = _FASTER.get(backbone)
        return None if name is None else detector_from_torchvision(name, weights)


def _common_options(
    network: TorchvisionDetector, spec: DataSpec, anchor_size: int, min_probability: float, max_overlap: float
) -> Mapping[str, Any]:
    """Return the options of a module of torchvision that leave the images as they are: normalised, of their size.

    Raises:
        ValueError: the images are too small or have other colours, or a number is out of its range.
    """
    channels, height, width = image_shape(network, spec)
    if channels not in (1, 3):
        raise ValueError(f"model: must get images with 1 or 3 channels, as torchvision's detectors do, not {channels}.")
    check_range("anchor_size", anchor_size, at_least=4)
    check_range("min_probability", min_probability, at_least=0, below=1)
    check_range("max_overlap", max_overlap, above=0, at_most=1)
    sizes = {"min_size": min(height, width), "max_size": max(height, width)}
    return {**sizes, "image_mean": [0.0] * 3, "image_std": [1.0] * 3}


def _coloured(inputs: Tensor) -> Tensor:
    """Return images with three channels."""
    return inputs.expand(-1, 3, -1, -1)
