"""Attributions as colours over the image that they explain, as arrays."""

import torch
from torch import Tensor

from firstlight.runs.figures.canvas import BLUE, ORANGE

_FADED = 0.35  # contrast of the image below values of two signs
_EXTREME = 0.995  # quantile of the absolute values that gets the full colour, as a few pixels may be far larger


def heat_overlay(images: Tensor, heat: Tensor) -> Tensor:
    """Return images whose colours say where the heat is: from dark violet (0) over orange to bright yellow (1).

    Args:
        images: (batch, channels, height, width), from 0 to 1.
        heat: (batch, height, width), from 0 to 1, as `Attributions.grad_cam`.

    Returns:
        (batch, 3, height, width), from 0 to 1.
    """
    from matplotlib import colormaps  # here, because the import takes a third of a second

    colours = torch.from_numpy(colormaps["inferno"](heat.numpy())[..., :3]).float().permute(0, 3, 1, 2)
    return 0.5 * _grey(images) + 0.5 * colours


def sign_overlay(images: Tensor, values: Tensor) -> Tensor:
    """Return faded images on which orange pixels speak for the output, and blue ones against it.

    Args:
        images: (batch, channels, height, width), from 0 to 1.
        values: (batch, height, width), of both signs, as `Attributions.integrated`.

    Returns:
        (batch, 3, height, width), from 0 to 1.
    """
    largest = values.abs().flatten(1).quantile(_EXTREME, dim=1).clamp_min(1e-12)
    opacity = (values.abs() / largest[:, None, None]).clamp_max(1)[:, None]
    colours = torch.where(values[:, None] > 0, _colour(ORANGE), _colour(BLUE))
    return (1 - opacity) * (1 - _FADED + _FADED * _grey(images)) + opacity * colours


def _grey(images: Tensor) -> Tensor:
    return images.mean(1, keepdim=True)


def _colour(code: str) -> Tensor:
    """Return a colour such as #0072B2 as (3, 1, 1), from 0 to 1."""
    return torch.tensor(list(bytes.fromhex(code[1:])))[:, None, None] / 255
