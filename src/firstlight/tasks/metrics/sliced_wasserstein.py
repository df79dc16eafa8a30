"""The sliced Wasserstein distance between two sets of points (Rabin et al. 2011)."""

import math

import torch
from torch import Tensor

NUM_DIRECTIONS = 128


def sliced_wasserstein(first: Tensor, second: Tensor, directions: Tensor) -> Tensor:
    """Return the distance between two sets of points that are projected onto a direction, averaged over directions.

    Args:
        first: (points, any shape).
        second: the same number of points, of the same shape.
        directions: vectors of length 1: (dimensions, directions).
    """
    projected = [(points.flatten(1) @ directions).sort(dim=0).values for points in (first, second)]
    return (projected[0] - projected[1]).abs().mean() if len(first) else first.new_zeros(())


def random_directions(images: Tensor, random: torch.Generator | None) -> Tensor:
    """Return random directions of length 1 in the space of the images: (dimensions, directions)."""
    shape = math.prod(images.shape[1:]), NUM_DIRECTIONS
    device = images.device if random is None else random.device
    drawn = torch.randn(shape, generator=random, device=device).to(images.device)
    return drawn / drawn.norm(dim=0)
