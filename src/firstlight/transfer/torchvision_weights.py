"""Weights that torchvision publishes, for networks that use the parameter names of torchvision."""

from firstlight.transfer.pretrained import Pretrained, unknown_weights
from firstlight.transfer.published_weights import fetch
from firstlight.transfer.weights_file import read_weights


def from_torchvision(architecture: str, weights: str) -> Pretrained:
    """Return weights of torchvision that were trained on the 1000 classes of ImageNet.

    The metadata is part of torchvision. The weights are downloaded when `load` is called.

    Args:
        architecture: torchvision's name of the network.
        weights: torchvision's name of the weights, in upper or lower case, or `default` for torchvision's default.

    Raises:
        ValueError: `weights` is unknown.
    """
    from torchvision.models import get_model_weights  # slow to import, and most runs start from random weights

    # Weights without categories are backbones for detection, whose head is untrained.
    entries = {entry.name: entry for entry in get_model_weights(architecture) if entry.meta["categories"]}
    best = get_model_weights(architecture).DEFAULT
    entry = best if weights == "default" else entries.get(weights.upper())
    if entry is None:
        raise unknown_weights(weights, ["default", *entries])
    images = entry.transforms()
    (size,), (short_side,) = images.crop_size, images.resize_size
    return Pretrained(
        name=entry.name,
        load=lambda: read_weights(fetch(entry.url)),
        labels=tuple(entry.meta["categories"]),
        size=size,
        mean=tuple(images.mean),
        std=tuple(images.std),
        interpolation=images.interpolation.value,
        crop=size / short_side,
    )


def detector_from_torchvision(architecture: str, weights: str) -> Pretrained:
    """Return weights of torchvision's detectors, trained on COCO, whose backbones saw ImageNet.

    Args:
        architecture: torchvision's name of the detector.
        weights: torchvision's name of the weights, in upper or lower case, or `default` for torchvision's default.

    Raises:
        ValueError: `weights` is unknown.
    """
    from torchvision.models import get_model_weights

    entries = {entry.name: entry for entry in get_model_weights(architecture)}
    entry = get_model_weights(architecture).DEFAULT if weights == "default" else entries.get(weights.upper())
    if entry is None:
        raise unknown_weights(weights, ["default", *entries])
    backbone = from_torchvision("resnet50", "default")
    return Pretrained(entry.name, lambda: read_weights(fetch(entry.url)), mean=backbone.mean, std=backbone.std)
