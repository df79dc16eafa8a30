"""The error of a reconstruction, pixel by pixel."""

from typing import NamedTuple

import torch
from torch import Tensor

from firstlight.tasks import Reconstruction


class Errors(NamedTuple):
    """Images, their reconstructions and the difference.

    Attributes:
        images: (batch, channels, height, width), from 0 to 1.
        reconstructions: of the same shape.
        errors: squared error of each pixel, the mean over its channels: (batch, height, width).
    """

    images: Tensor
    reconstructions: Tensor
    errors: Tensor


@torch.inference_mode()
def reconstruction_errors(task: Reconstruction, raw: Tensor) -> Errors:
    """Return where the reconstructions of raw images (batch, channels, height, width), uint8, differ from them."""
    inputs = task.preprocess(raw.to(task.device))
    outputs, _, _ = task.network.reconstruct(inputs)
    images, made = task.preprocess.to_pixels(inputs).cpu(), task.as_pixels(outputs).cpu()
    return Errors(images, made.clamp(0, 1), (made - images).square().mean(1))
