"""The 1000 classes of ImageNet."""


def imagenet_labels() -> tuple[str, ...]:
    """Return the names of the classes by index.

    Source: Russakovsky et al. 2015, "ImageNet large scale visual recognition challenge".
    """
    from torchvision.models import EfficientNet_B0_Weights  # the import takes a second

    return tuple(EfficientNet_B0_Weights.DEFAULT.meta["categories"])
