"""How far two clouds of points are from each other (Rabin et al. 2011)."""

import math

import torch
from torch import Tensor

NUM_DIRECTIONS = 128


def sliced_wasserstein(first: Tensor, second: Tensor, directions: Tensor) -> Tensor:
    """Mean over directions of the distance between two clouds of points, seen along the direction alone.

    Args:
        first: (points, any shape).
        second: as many points of that shape.
        directions: (dimensions, directions), of length 1.
    """
    along = [(points.flatten(1) @ directions).sort(dim=0).values for points in (first, second)]
    return (along[0] - along[1]).abs().mean() if len(first) else first.new_zeros(())


def random_directions(images: Tensor, random: torch.Generator | None) -> Tensor:
    """Of length 1, in the space of the images: (dimensions, directions)."""
    shape = math.prod(images.shape[1:]), NUM_DIRECTIONS
    device = images.device if random is None else random.device
    drawn = torch.randn(shape, generator=random, device=device).to(images.device)
    return drawn / drawn.norm(dim=0)
