"""The 1000 classes of ImageNet."""


def imagenet_labels() -> tuple[str, ...]:
    """Their names, by number (Russakovsky et al. 2015, "ImageNet large scale visual recognition challenge")."""
    from torchvision.models import EfficientNet_B0_Weights  # takes a second

    return tuple(EfficientNet_B0_Weights.DEFAULT.meta["categories"])
