"""The ground of images: dark behind white digits on black, light behind black strokes on paper."""

import math

import numpy as np

GROUNDS = ("dark", "light")

_MAX_IMAGES = 2000  # that are compared
_MAX_COLOURS = 200  # images whose colours are compared, which takes longer
_MAX_STD = 0.1  # largest standard deviation of the ground over images that have a common one
_MAX_COLOUR = 0.05  # largest mean difference of the channels of grey images
TOLERANCE = 0.15  # difference of a pixel of the ground from the median


def common_ground(images: np.ndarray, margin: int = 0) -> str | None:
    """Return "dark" or "light" if images are grey and all have such a ground, else None.

    Images of other grounds would not be recognized, and may be inverted. An inversion would exchange colours, so images
    with colours have no common ground.

    Args:
        images: (images, channels, height, width), uint8.
        margin: stored pixels on every side, which are left out.
    """
    height, width = images.shape[2:]
    step = math.ceil(len(images) / _MAX_IMAGES)
    sample = images[::step, :, margin : height - margin, margin : width - margin]
    found = np.median(border(sample), 2) / 255
    if found.std(0).max() > _MAX_STD or 0.25 <= found.mean() <= 0.75:
        return None
    if max(np.ptp(image, axis=0).mean() for image in sample[:_MAX_COLOURS]) / 255 > _MAX_COLOUR:
        return None
    return "dark" if found.mean() < 0.25 else "light"


def has_ground(images: np.ndarray, ground: str) -> np.ndarray:
    """Return which images have a ground that is "light" or "dark": (images,), bool.

    Args:
        images: (images, channels, height, width), uint8. Half of the pixels at the border are ground at least.
        ground: "light" or "dark".
    """
    pixels = border(images) / 255
    found = np.median(pixels, 2)
    is_uniform = (np.abs(pixels - found[:, :, None]) < TOLERANCE).mean(2).min(1) >= 0.5
    return is_uniform & ((found > 0.5) == (ground == "light")).all(1)


def border(images: np.ndarray) -> np.ndarray:
    """Return the pixels at the border: (..., height, width) -> (..., pixels)."""
    sides = images[..., 0, :], images[..., -1, :], images[..., 1:-1, 0], images[..., 1:-1, -1]
    return np.concatenate(sides, axis=-1)
