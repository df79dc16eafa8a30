"""What the size of images means for a network."""

from typing import ClassVar, Protocol

from firstlight.checks import choose
from firstlight.spec import DataSpec

# Up to here a network keeps the resolution that its first layers would give away.
SMALL = 64
_STEMS = ("auto", "imagenet", "small")


class Sized(Protocol):
    """A network that takes no smaller images than `min_size`."""

    min_size: ClassVar[int]


def image_shape(network: Sized, spec: DataSpec) -> tuple[int, int, int]:
    """(channels, height, width) of the images that a network is built for.

    Raises:
        ValueError: smaller images than that.
    """
    channels, height, width = spec.input_shape
    smallest, name = network.min_size, type(network).__name__
    if min(height, width) < smallest:
        raise ValueError(f"{name} takes images of {smallest}x{smallest} or more, not {height}x{width}.")
    return channels, height, width


def has_small_stem(spec: DataSpec, stem: str) -> bool:
    """Whether a network begins as the field begins on CIFAR: without the early loss of resolution.

    Args:
        spec: of the images.
        stem: imagenet or small; auto is small up to 64 pixels.

    Raises:
        ValueError: an unknown stem, or images too small for the one of ImageNet.
    """
    choose("stem", stem, _STEMS, "stem")
    _, height, width = spec.input_shape
    side = min(height, width)
    if stem == "imagenet" and side < SMALL:
        raise ValueError(
            f"stem=imagenet: it leaves next to nothing of {height}x{width} pixels."
            f" Take stem=small, or enlarge them with augment.size={SMALL} or more."
        )
    return stem == "small" or (stem == "auto" and side <= SMALL)


def fitting_poolings(side: int, number: int) -> list[bool]:
    """Which of `number` poolings by two are kept, where each has layers before it that see what the last one left.

    No layer is left with a single pixel: it would see its padding, and batch normalisation of a lone image would
    have nothing to measure. Only the last pooling may leave one.
    """
    kept = []
    for rest in reversed(range(number)):
        kept.append(side // 2 >= (2 if rest else 1))
        side //= 2 if kept[-1] else 1
    return kept
