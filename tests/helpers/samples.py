"""Images to augment, and checks of images and of random numbers."""

import math

import torch
from torch import Tensor

from firstlight.spec import DataSpec


def smooth_images(num_samples: int, channels: int, height: int, width: int) -> Tensor:
    """Sums of a few waves, uint8. Neighbouring pixels differ by a few grey levels, and no image is symmetric."""
    random = torch.Generator().manual_seed(0)
    waves = torch.rand(num_samples, channels, 4, 3, generator=random)
    y, x = torch.linspace(0, 1, height)[:, None], torch.linspace(0, 1, width)
    images = torch.zeros(num_samples, channels, height, width)
    for fast_x, fast_y, phase in waves[..., None, None].permute(2, 3, 0, 1, 4, 5):
        images += torch.sin(2 * math.pi * ((4 * fast_x - 2) * x + (4 * fast_y - 2) * y + phase))
    return (127.5 + 30 * images).round().to(torch.uint8)


def noisy_images(*shape: int) -> Tensor:
    """Images whose pixels are independent random numbers, uint8."""
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def image_spec(channels: int, height: int, width: int, margin: int = 0) -> DataSpec:
    """The spec of images in seven classes."""
    mean, std = (0.3, 0.5, 0.4, 0.6)[:channels], (0.2, 0.25, 0.3, 0.22)[:channels]
    return DataSpec((channels, height, width), 7, tuple("abcdefg"), mean, std, margin)


def grey_levels(found: Tensor, expected: Tensor, margin: int = 0) -> float:
    """Mean absolute difference of two images on the scale from 0 to 255, without `margin` pixels at each edge."""
    height, width = found.shape[-2:]
    inside = (..., slice(margin, height - margin), slice(margin, width - margin))
    return (found.float() - expected.float())[inside].abs().mean().item()


def assert_uniform(draws: Tensor, low: float, high: float) -> None:
    """Assert that range, mean and standard deviation of random numbers are those of a uniform distribution."""
    draws, span = draws.flatten().double(), high - low
    tolerance = 4 * span / len(draws) ** 0.5
    assert low - 1e-4 * span <= draws.min() < low + tolerance
    assert high - tolerance < draws.max() <= high + 1e-4 * span
    assert abs(draws.mean() - (low + high) / 2) < tolerance * 12**-0.5
    assert abs(draws.std() - span * 12**-0.5) < tolerance / 2
