"""What becomes of a sample's colours: one map, on the scale where white is 255, that every step adds to.

A map (samples, channels, channels + 2) is linear but for an offset. Its columns tell what it makes of a unit of each
channel, of black, which is the offset, and of the sample's mean colour, which steps that come later may ask for.
"""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from firstlight.augment.constant import constant
from firstlight.augment.step import Step
from firstlight.checks import check_range

# How bright a colour is seen: ITU-R BT.601, as in Pillow and torchvision.
LUMA = (0.299, 0.587, 0.114)


class Colour(Step, ABC):
    """A step that is linear in the colours of each pixel.

    Attributes:
        needs_means: whether it depends on a sample's mean colour.
        mixes_channels: whether it needs three of them; grey images pass unchanged.
    """

    needs_means: ClassVar[bool] = False
    mixes_channels: ClassVar[bool] = False

    @abstractmethod
    def change(self, transforms: Tensor) -> Tensor:
        """The transforms, and after them random ones of this step."""


class Factor(Colour):
    """A step by a factor of 1 - `change` to 1 + `change`, uniform, and not below 0."""

    def __init__(self, *, change: float = 0.2, p: float = 1.0) -> None:
        super().__init__(p)
        check_range("change", change, at_least=0)
        self.max_change = change

    def change(self, transforms: Tensor) -> Tensor:
        """A factor for each sample; 1 where it is not changed."""
        draws = self.uniform((len(transforms),), max(0.0, 1 - self.max_change), 1 + self.max_change, transforms.device)
        return self.scale_by(self.for_chosen(draws, 1.0), transforms)

    @abstractmethod
    def scale_by(self, factors: Tensor, transforms: Tensor) -> Tensor:
        """The same for given factors (samples,)."""


class Brightness(Factor):
    """Pixels are multiplied by the factor."""

    def scale_by(self, factors: Tensor, transforms: Tensor) -> Tensor:
        """All columns alike."""
        return scale_brightness(transforms, factors)


class Contrast(Factor):
    """Distances from the sample's mean grey are multiplied by the factor."""

    needs_means = True

    def scale_by(self, factors: Tensor, transforms: Tensor) -> Tensor:
        """All columns alike, and an offset that keeps the mean grey."""
        return scale_contrast(transforms, factors)


class Saturation(Factor):
    """Distances of each pixel from its own grey are multiplied by the factor."""

    mixes_channels = True

    def scale_by(self, factors: Tensor, transforms: Tensor) -> Tensor:
        """Between the columns and their greys, or beyond."""
        return scale_saturation(transforms, factors)


class Grey(Colour):
    """Colours become grey, with probability `p`."""

    mixes_channels = True

    def __init__(self, *, p: float = 0.1) -> None:
        super().__init__(p)

    def change(self, transforms: Tensor) -> Tensor:
        """The columns' greys, or the columns."""
        return scale_saturation(transforms, self.for_chosen(transforms.new_zeros(len(transforms)), 1.0))


class ChannelShift(Colour):
    """Each channel becomes brighter or darker by up to `change`, a share of white, by itself."""

    def __init__(self, *, change: float = 0.1, p: float = 1.0) -> None:
        super().__init__(p)
        check_range("change", change, at_least=0)
        self.max_change = change

    def change(self, transforms: Tensor) -> Tensor:
        """An offset."""
        draws = self.uniform(
            (len(transforms), transforms.shape[1]), -self.max_change, self.max_change, transforms.device
        )
        return add_offsets(transforms, self.for_chosen(draws, 0.0) * 255)


def identity_transforms(means: Tensor) -> Tensor:
    """Maps that change nothing, of samples with the mean colours `means` (samples, channels)."""
    channels = means.shape[1]
    transforms = means.new_zeros(len(means), channels, channels + 2)
    transforms.diagonal(dim1=1, dim2=2).fill_(1)
    transforms[:, :, -1] = means
    return transforms


def scale_brightness(transforms: Tensor, factors: Tensor) -> Tensor:
    """Factors (samples,): every channel is multiplied."""
    return transforms * factors[:, None, None]


def scale_contrast(transforms: Tensor, factors: Tensor) -> Tensor:
    """Factors (samples,): blends with the mean grey."""
    grey = transforms[:, :, -1] @ _luma_weights(transforms)
    return add_offsets(transforms * factors[:, None, None], ((1 - factors) * grey)[:, None])


def scale_saturation(transforms: Tensor, factors: Tensor) -> Tensor:
    """Factors (samples,): blends of each colour with its grey."""
    greys = (_luma_weights(transforms) @ transforms)[:, None]
    return torch.lerp(greys, transforms, factors[:, None, None])


def add_offsets(transforms: Tensor, offsets: Tensor) -> Tensor:
    """Offsets (samples, channels or 1): colours are moved by them, which channels by themselves are not; in place."""
    transforms[:, :, -2:] += offsets[:, :, None]
    return transforms


def apply_transforms(transforms: Tensor, pixels: Tensor, out: Tensor | None = None) -> Tensor:
    """Colours (samples, channels, height, width), float32, after the map; in `out` where that is given."""
    offset = transforms[:, :, -2:-1]
    if pixels.shape[1] == 1:
        return torch.addcmul(offset[..., None], pixels, transforms[:, :, :1, None], out=out)
    flat = None if out is None else out.view(len(out), out.shape[1], -1)
    return torch.baddbmm(offset, transforms[:, :, :-2], pixels.flatten(2), out=flat).view(pixels.shape)


def _luma_weights(transforms: Tensor) -> Tensor:
    """Weights of the channels in grey; where there are not three of them, they weigh the same."""
    channels = transforms.shape[1]
    return constant(LUMA if channels == 3 else (1 / channels,) * channels, transforms.device)
