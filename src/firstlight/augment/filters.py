"""What is done to the pixels of finished images: noise, blur, and pieces cut out."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor
from torch.nn import functional as F

from firstlight.augment.step import Step, check_order
from firstlight.checks import check_range


class Filter(Step, ABC):
    """A step on normalised images at the network's size."""

    @abstractmethod
    def apply(self, images: Tensor, std: Tensor) -> Tensor:
        """Images (samples, channels, height, width) changed.

        Args:
            images: of mean 0 and deviation 1.
            std: (channels,) what a deviation of 1 is on the scale where white is 1.
        """


class Noise(Filter):
    """Normal noise with a standard deviation of up to `std`, a share of white; the same share for a whole sample."""

    def __init__(self, *, std: float = 0.05, p: float = 1.0) -> None:
        super().__init__(p)
        check_range("std", std, at_least=0)
        self.std = std

    def apply(self, images: Tensor, std: Tensor) -> Tensor:
        """Deviations are uniform from 0 to the largest."""
        stds = self.for_chosen(self.uniform((len(images),), 0, self.std, images.device), 0.0)
        scale = stds[:, None] / std
        return torch.addcmul(images, torch.randn_like(images), scale[:, :, None, None])


class Blur(Filter):
    """Gaussian blur with a standard deviation from `low` to `high` pixels of the network's image."""

    def __init__(self, *, low: float = 0.1, high: float = 1.0, p: float = 0.5) -> None:
        super().__init__(p)
        check_range("low", low, at_least=0.01)
        check_order(low=low, high=high)
        self.low, self.high = low, high

    def apply(self, images: Tensor, std: Tensor) -> Tensor:
        """Deviations are uniform."""
        sigmas = self.uniform((len(images),), self.low, self.high, images.device)
        # A hundredth of a pixel leaves the neighbours nothing.
        return blur(images, self.for_chosen(sigmas, 0.01), radius=round(3 * self.high + 0.5))


class Cutout(Filter):
    """A rectangle becomes the mean colour (DeVries & Taylor 2017; Zhong et al. 2020, "Random erasing").

    Args:
        low: least side of the rectangle, as a share of the image's.
        high: largest side.
        p: probability that a sample loses a piece.

    Raises:
        ValueError: a share below 0 or above 1.
    """

    def __init__(self, *, low: float = 0.1, high: float = 0.4, p: float = 0.5) -> None:
        super().__init__(p)
        check_range("low", low, at_least=0)
        check_range("high", high, at_least=0, at_most=1)
        check_order(low=low, high=high)
        self.low, self.high = low, high

    def apply(self, images: Tensor, std: Tensor) -> Tensor:
        """Height and width are uniform, each by itself; the rectangle lies within the image."""
        fractions = self.uniform((len(images), 2), self.low, self.high, images.device)
        return images * ~random_rectangles(self.for_chosen(fractions, 0.0), images)


def blur(images: Tensor, sigmas: Tensor, radius: int) -> Tensor:
    """Gaussian blur with a standard deviation of `sigmas` (samples,) pixels, seeing `radius` pixels to each side."""
    num_samples, channels, height, width = images.shape
    radius = min(radius, height - 1, width - 1)  # a mirror shows no more than the image
    distances = torch.arange(-radius, radius + 1, device=images.device)
    kernels = torch.softmax(-0.5 * (distances / sigmas[:, None]) ** 2, 1).repeat_interleave(channels, 0)
    planes = F.pad(images, (radius,) * 4, mode="reflect").reshape(1, num_samples * channels, -1, width + 2 * radius)
    planes = F.conv2d(planes, kernels[:, None, :, None], groups=num_samples * channels)
    planes = F.conv2d(planes, kernels[:, None, None, :], groups=num_samples * channels)
    return planes.reshape(images.shape)


def random_rectangles(fractions: Tensor, images: Tensor) -> Tensor:
    """Rectangles anywhere, of `fractions` (samples, 2) of height and width: (samples, 1, height, width), bool."""
    inside = []
    for axis, length in enumerate(images.shape[2:]):
        sides = (fractions[:, axis] * length).round()
        first = (torch.rand(len(fractions), device=images.device) * (length - sides + 1)).floor()
        first = torch.minimum(first, length - sides)  # a product can be rounded up
        pixels = torch.arange(length, device=images.device)
        inside.append((pixels >= first[:, None]) & (pixels < (first + sides)[:, None]))
    return (inside[0][:, :, None] & inside[1][:, None, :])[:, None]
