"""Images to augment, and what draws have to be like."""

import math

import torch
from torch import Tensor

from firstlight.spec import DataSpec


def smooth_images(num_samples: int, channels: int, height: int, width: int) -> Tensor:
    """A few waves over each other, as uint8: neighbours differ by a few grey levels, and nothing is symmetric."""
    random = torch.Generator().manual_seed(0)
    waves = torch.rand(num_samples, channels, 4, 3, generator=random)
    y, x = torch.linspace(0, 1, height)[:, None], torch.linspace(0, 1, width)
    images = torch.zeros(num_samples, channels, height, width)
    for fast_x, fast_y, phase in waves[..., None, None].permute(2, 3, 0, 1, 4, 5):
        images += torch.sin(2 * math.pi * ((4 * fast_x - 2) * x + (4 * fast_y - 2) * y + phase))
    return (127.5 + 30 * images).round().to(torch.uint8)


def noisy_images(*shape: int) -> Tensor:
    """Every pixel is drawn by itself, as uint8."""
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def image_spec(channels: int, height: int, width: int, margin: int = 0) -> DataSpec:
    """Of images in seven classes."""
    mean, std = (0.3, 0.5, 0.4, 0.6)[:channels], (0.2, 0.25, 0.3, 0.22)[:channels]
    return DataSpec((channels, height, width), 7, tuple("abcdefg"), mean, std, margin)


def grey_levels(found: Tensor, expected: Tensor, margin: int = 0) -> float:
    """Mean absolute difference of two images on a scale to 255, `margin` pixels away from the edges."""
    height, width = found.shape[-2:]
    inside = (..., slice(margin, height - margin), slice(margin, width - margin))
    return (found.float() - expected.float())[inside].abs().mean().item()


def assert_uniform(draws: Tensor, low: float, high: float) -> None:
    """Draws keep to their range, use all of it, and have the mean and the deviation of uniform ones."""
    draws, span = draws.flatten().double(), high - low
    tolerance = 4 * span / len(draws) ** 0.5
    assert low - 1e-4 * span <= draws.min() < low + tolerance
    assert high - tolerance < draws.max() <= high + 1e-4 * span
    assert abs(draws.mean() - (low + high) / 2) < tolerance * 12**-0.5
    assert abs(draws.std() - span * 12**-0.5) < tolerance / 2
