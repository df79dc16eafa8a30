"""How networks adapt to the size of the images: stem and poolings."""

from firstlight.checks import choose
from firstlight.spec import DataSpec

# Largest side in pixels for which the stem `auto` is small.
SMALL = 64
_STEMS = ("auto", "imagenet", "small")


def has_small_stem(spec: DataSpec, stem: str) -> bool:
    """Return whether a network has the small stem, which keeps the resolution of small images, as is common on CIFAR.

    Args:
        spec: spec of the images.
        stem: imagenet, small, or auto, which selects small for images of at most 64 pixels.

    Raises:
        ValueError: the stem is unknown, or the images are too small for the stem `imagenet`.
    """
    choose("stem", stem, _STEMS, "stem")
    _, height, width = spec.input_shape
    side = min(height, width)
    if stem == "imagenet" and side < SMALL:
        raise ValueError(
            f"stem=imagenet: must be small for images of {height}x{width} pixels."
            f" To fix: set stem=small, or enlarge the images with augment.size={SMALL} or more."
        )
    return stem == "small" or (stem == "auto" and side <= SMALL)


def fitting_poolings(side: int, number: int) -> list[bool]:
    """Return for each of `number` poolings by two whether a network keeps it.

    Only the last pooling may leave a single pixel. A convolution after it would see nothing but padding around that
    pixel, and batch normalisation of a single image would have no variance.

    Args:
        side: shorter side of the image in pixels.
        number: number of poolings. Each has convolutions before it.
    """
    kept = []
    for rest in reversed(range(number)):
        kept.append(side // 2 >= (2 if rest else 1))
        side //= 2 if kept[-1] else 1
    return kept
