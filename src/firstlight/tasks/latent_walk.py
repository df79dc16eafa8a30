"""Walks between latents, which show what a decoder makes of the space between them."""

import math

import torch
from torch import Tensor


def latent_walk(latents: Tensor, steps: int = 8, *, are_normal: bool = False) -> Tensor:
    """Return the latents on the way from each latent to the next.

    Args:
        latents: (latents, latent_dim).
        steps: latents of each way, both ends included.
        are_normal: whether the latents are draws of the standard normal distribution. The way between two of them is an
            arc then: each latent on it is also such a draw, while those on a straight line are too short (White 2016).

    Returns:
        ((latents - 1) * steps, latent_dim).
    """
    positions = torch.linspace(0, 1, steps, device=latents.device)[None, :, None]
    first, second = latents[:-1, None], latents[1:, None]
    if are_normal:
        angles = positions * math.pi / 2
        return (first * angles.cos() + second * angles.sin()).flatten(0, 1)
    return torch.lerp(first, second, positions).flatten(0, 1)
