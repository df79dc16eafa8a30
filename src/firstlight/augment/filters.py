"""Steps that change the pixels of normalised images: noise, blur, and rectangles that are cut out."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor
from torch.nn import functional as F

from firstlight.augment.preprocess import ImagePreprocess
from firstlight.augment.step import Step, check_order
from firstlight.checks import check_range


class Filter(Step, ABC):
    """A step on normalised images at the network's size."""

    def apply_normalised(self, images: Tensor, preprocess: ImagePreprocess) -> Tensor:
        return self.filter(images, 1 / (255 * preprocess.scale.flatten()))

    @abstractmethod
    def filter(self, images: Tensor, std: Tensor) -> Tensor:
        """Return the changed images.

        Args:
            images: (samples, channels, height, width), of mean 0 and standard deviation 1.
            std: (channels,), the standard deviations that the normalisation divided by, on a scale where white is 1.
        """


class Noise(Filter):
    """Add normal noise.

    The standard deviation of the noise is uniform in 0 to `std`, as a fraction of white, and the same in all channels
    of a sample.

    Raises:
        ValueError: `std` is negative.
    """

    def __init__(self, *, std: float = 0.05, p: float = 1.0) -> None:
        super().__init__(p)
        check_range("std", std, at_least=0)
        self.std = std

    def filter(self, images: Tensor, std: Tensor) -> Tensor:
        noise_std = self.for_chosen(self.uniform((len(images),), 0, self.std, images.device), 0.0)
        scale = noise_std[:, None] / std
        return torch.addcmul(images, torch.randn_like(images), scale[:, :, None, None])


class Blur(Filter):
    """Blur with a Gaussian kernel.

    Its standard deviation is uniform in `low` to `high` pixels, counted at the network's size.

    Raises:
        ValueError: `low` is below 0.01, or larger than `high`.
    """

    def __init__(self, *, low: float = 0.1, high: float = 1.0, p: float = 0.5) -> None:
        super().__init__(p)
        check_range("low", low, at_least=0.01)
        check_order(low=low, high=high)
        self.low, self.high = low, high

    def filter(self, images: Tensor, std: Tensor) -> Tensor:
        sigmas = self.uniform((len(images),), self.low, self.high, images.device)
        # At 0.01 pixels the kernel's weights beside its centre are 0, so that the image stays as it is.
        return blur(images, self.for_chosen(sigmas, 0.01), radius=round(3 * self.high + 0.5))


class Cutout(Filter):
    """Fill a rectangle with the mean colour (DeVries & Taylor 2017; Zhong et al. 2020, "Random erasing").

    The height and the width of the rectangle are drawn separately and uniformly. The rectangle lies within the image.

    Args:
        low: the smallest height and width of the rectangle, as fractions of the image's.
        high: the largest height and width of the rectangle, as fractions of the image's.
        p: probability that a sample gets a rectangle.

    Raises:
        ValueError: `low` or `high` is outside 0 to 1, or `low` is larger than `high`.
    """

    def __init__(self, *, low: float = 0.1, high: float = 0.4, p: float = 0.5) -> None:
        super().__init__(p)
        check_range("low", low, at_least=0)
        check_range("high", high, at_least=0, at_most=1)
        check_order(low=low, high=high)
        self.low, self.high = low, high

    def filter(self, images: Tensor, std: Tensor) -> Tensor:
        fractions = self.uniform((len(images), 2), self.low, self.high, images.device)
        return images * ~random_rectangles(self.for_chosen(fractions, 0.0), images)


def blur(images: Tensor, sigmas: Tensor, radius: int) -> Tensor:
    """Blur each image with a Gaussian kernel.

    Args:
        images: (samples, channels, height, width).
        sigmas: (samples,), the standard deviation of each sample's kernel, in pixels.
        radius: pixels of the kernel on each side of its centre.
    """
    num_samples, channels, height, width = images.shape
    radius = min(radius, height - 1, width - 1)  # mirror padding cannot be wider than the image
    distances = torch.arange(-radius, radius + 1, device=images.device)
    kernels = torch.softmax(-0.5 * (distances / sigmas[:, None]) ** 2, 1).repeat_interleave(channels, 0)
    planes = F.pad(images, (radius,) * 4, mode="reflect").reshape(1, num_samples * channels, -1, width + 2 * radius)
    planes = F.conv2d(planes, kernels[:, None, :, None], groups=num_samples * channels)
    planes = F.conv2d(planes, kernels[:, None, None, :], groups=num_samples * channels)
    return planes.reshape(images.shape)


def random_rectangles(fractions: Tensor, images: Tensor) -> Tensor:
    """Draw a rectangle at a random position within each image.

    Args:
        fractions: (samples, 2), height and width of the rectangles as fractions of the image's.
        images: (samples, channels, height, width).

    Returns:
        (samples, 1, height, width), bool: True inside the rectangle.
    """
    inside = []
    for axis, length in enumerate(images.shape[2:]):
        sides = (fractions[:, axis] * length).round()
        first = (torch.rand(len(fractions), device=images.device) * (length - sides + 1)).floor()
        first = torch.minimum(first, length - sides)  # the product can be rounded up to length - sides + 1
        pixels = torch.arange(length, device=images.device)
        inside.append((pixels >= first[:, None]) & (pixels < (first + sides)[:, None]))
    return (inside[0][:, :, None] & inside[1][:, None, :])[:, None]
