"""Colour steps: all of them together become one affine transform of the colours per sample.

The transforms are a tensor (samples, channels, channels + 2), on a scale where black is 0 and white is 255. The first
`channels` columns are the matrix that multiplies a colour. The next column is the offset that is added. The last
column is the sample's mean colour after the transform, which steps such as `Contrast` need. A step composes its own
change with the transforms; only the finished transforms are applied to pixels.
"""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from firstlight.augment.constant import constant
from firstlight.augment.step import Step
from firstlight.checks import check_range

# Weights of red, green and blue in the brightness of a colour: ITU-R BT.601, as in Pillow and torchvision.
LUMA = (0.299, 0.587, 0.114)


class Colour(Step, ABC):
    """A step that applies an affine transform to the colour of each pixel.

    Attributes:
        needs_means: whether the step uses the sample's mean colour.
        mixes_channels: whether the step needs three channels; it leaves images with other channels unchanged.
    """

    stage = "colour"
    needs_means: ClassVar[bool] = False
    mixes_channels: ClassVar[bool] = False

    @abstractmethod
    def change(self, transforms: Tensor) -> Tensor:
        """Append a random change per sample to the transforms of the previous steps, which may be modified."""


class Factor(Colour):
    """A step with a factor that is uniform in 1 - `change` to 1 + `change`, and at least 0."""

    def __init__(self, *, change: float = 0.2, p: float = 1.0) -> None:
        super().__init__(p)
        check_range("change", change, at_least=0)
        self.max_change = change

    def change(self, transforms: Tensor) -> Tensor:
        low, high = max(0.0, 1 - self.max_change), 1 + self.max_change
        factors = self.uniform((len(transforms),), low, high, transforms.device)
        return self.scale_by(self.for_chosen(factors, 1.0), transforms)

    @abstractmethod
    def scale_by(self, factors: Tensor, transforms: Tensor) -> Tensor:
        """Append the change by `factors` (samples,) to the transforms."""


class Brightness(Factor):
    """Multiply all pixels by a random factor."""

    def scale_by(self, factors: Tensor, transforms: Tensor) -> Tensor:
        return scale_brightness(transforms, factors)


class Contrast(Factor):
    """Multiply the difference of all pixels from the sample's mean grey by a random factor."""

    needs_means = True

    def scale_by(self, factors: Tensor, transforms: Tensor) -> Tensor:
        return scale_contrast(transforms, factors)


class Saturation(Factor):
    """Multiply the difference of each pixel from its own grey by a random factor."""

    mixes_channels = True

    def scale_by(self, factors: Tensor, transforms: Tensor) -> Tensor:
        return scale_saturation(transforms, factors)


class Grey(Colour):
    """Convert colours to grey, with probability `p`."""

    mixes_channels = True

    def __init__(self, *, p: float = 0.1) -> None:
        super().__init__(p)

    def change(self, transforms: Tensor) -> Tensor:
        return scale_saturation(transforms, self.for_chosen(transforms.new_zeros(len(transforms)), 1.0))


class ChannelShift(Colour):
    """Add a random number to each channel separately, up to `change` in either direction, as a fraction of white.

    Raises:
        ValueError: `change` is negative.
    """

    def __init__(self, *, change: float = 0.1, p: float = 1.0) -> None:
        super().__init__(p)
        check_range("change", change, at_least=0)
        self.max_change = change

    def change(self, transforms: Tensor) -> Tensor:
        shape = (len(transforms), transforms.shape[1])
        offsets = self.uniform(shape, -self.max_change, self.max_change, transforms.device)
        return add_offsets(transforms, self.for_chosen(offsets, 0.0) * 255)


def identity_transforms(means: Tensor) -> Tensor:
    """Return transforms that change nothing, for samples with the mean colours `means` (samples, channels)."""
    channels = means.shape[1]
    transforms = means.new_zeros(len(means), channels, channels + 2)
    transforms.diagonal(dim1=1, dim2=2).fill_(1)
    transforms[:, :, -1] = means
    return transforms


def scale_brightness(transforms: Tensor, factors: Tensor) -> Tensor:
    """Append a multiplication of all channels by `factors` (samples,)."""
    return transforms * factors[:, None, None]


def scale_contrast(transforms: Tensor, factors: Tensor) -> Tensor:
    """Append a multiplication of the difference from the mean grey by `factors` (samples,)."""
    grey = transforms[:, :, -1] @ _luma_weights(transforms)
    return add_offsets(transforms * factors[:, None, None], ((1 - factors) * grey)[:, None])


def scale_saturation(transforms: Tensor, factors: Tensor) -> Tensor:
    """Append a multiplication of each colour's difference from its own grey by `factors` (samples,)."""
    greys = (_luma_weights(transforms) @ transforms)[:, None]
    return torch.lerp(greys, transforms, factors[:, None, None])


def add_offsets(transforms: Tensor, offsets: Tensor) -> Tensor:
    """Append an addition of `offsets` (samples, channels or 1) to the colours. Modifies `transforms`."""
    transforms[:, :, -2:] += offsets[:, :, None]
    return transforms


def apply_transforms(transforms: Tensor, pixels: Tensor, out: Tensor | None = None) -> Tensor:
    """Apply the transforms to images.

    Args:
        transforms: (samples, channels, channels + 2).
        pixels: (samples, channels, height, width), float32.
        out: a tensor of the shape of `pixels` for the result; None creates a new one.
    """
    offset = transforms[:, :, -2:-1]
    if pixels.shape[1] == 1:
        return torch.addcmul(offset[..., None], pixels, transforms[:, :, :1, None], out=out)
    flat = None if out is None else out.view(len(out), out.shape[1], -1)
    return torch.baddbmm(offset, transforms[:, :, :-2], pixels.flatten(2), out=flat).view(pixels.shape)


def _luma_weights(transforms: Tensor) -> Tensor:
    """Return the weight of each channel in grey: `LUMA` for three channels, otherwise equal weights."""
    channels = transforms.shape[1]
    return constant(LUMA if channels == 3 else (1 / channels,) * channels, transforms.device)
