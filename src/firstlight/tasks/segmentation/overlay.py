"""Masks as colours, and over their images."""

import torch
from torch import Tensor

from firstlight.data.images.overlay import colour_of
from firstlight.spec import IGNORED

_OPACITY = 0.55


def palette(num_classes: int) -> list[tuple[int, int, int]]:
    """Return the colour of each class, red, green and blue from 0 to 255. Class 0, usually the background, is black."""
    return [(0, 0, 0), *(colour_of(number) for number in range(1, num_classes))]


def overlaid(images: Tensor, masks: Tensor, num_classes: int) -> Tensor:
    """Return images with the colours of their masks over them. Class 0 keeps the image, ignored pixels are grey.

    Args:
        images: (batch, channels, height, width), from 0 to 1, grey or in colour.
        masks: (batch, height, width), whole numbers: a class or `spec.IGNORED`.
        num_classes: number of classes.

    Returns:
        (batch, 3, height, width), from 0 to 1.
    """
    table = torch.full((IGNORED + 1, 3), 0.5)
    table[:num_classes] = torch.tensor(palette(num_classes)) / 255
    chosen = masks.long().cpu()
    alpha = _OPACITY * (chosen != 0)[:, None]
    return in_colour(images) * (1 - alpha) + table[chosen].movedim(3, 1) * alpha


def in_colour(images: Tensor) -> Tensor:
    """Return images (batch, channels, height, width) with three channels, on the CPU.

    Unless there are three, the first channel is shown in grey.
    """
    return (images if images.shape[1] == 3 else images[:, :1].expand(-1, 3, -1, -1)).cpu()
