"""What becomes of a pixel's colour: one matrix and one offset per sample, on the scale where white is 255."""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from firstlight.augment.step import Step, check_between

Affine = tuple[Tensor, Tensor]  # (samples, channels, channels) and (samples, channels)

# How bright a colour is seen: ITU-R BT.601, as in Pillow and torchvision.
LUMA = (0.299, 0.587, 0.114)


class Colour(Step, ABC):
    """A step that is linear in the colours of each pixel.

    Attributes:
        needs_means: whether it depends on a sample's mean colour.
        mixes_channels: whether it needs three of them; grey pictures pass unchanged.
    """

    needs_means: ClassVar[bool] = False
    mixes_channels: ClassVar[bool] = False

    @abstractmethod
    def affine(self, means: Tensor) -> Affine:
        """Random matrices and offsets for samples with the mean colours `means` (samples, channels)."""


class Factor(Colour):
    """A step by a factor of 1 - `change` to 1 + `change`, uniform, and not below 0."""

    def __init__(self, *, change: float = 0.2, p: float = 1.0) -> None:
        super().__init__(p)
        check_between("change", change, 0)
        self.change = change

    def affine(self, means: Tensor) -> Affine:
        """A factor for each sample; 1 where it is not changed."""
        draws = self.uniform((len(means),), max(0.0, 1 - self.change), 1 + self.change, means.device)
        return self.by(self.for_chosen(draws, 1.0), means)

    @abstractmethod
    def by(self, factors: Tensor, means: Tensor) -> Affine:
        """The map for factors (samples,)."""


class Brightness(Factor):
    """Pixels are multiplied by the factor."""

    def by(self, factors: Tensor, means: Tensor) -> Affine:
        """A multiple of the identity."""
        return brightness(factors, means)


class Contrast(Factor):
    """Distances from the sample's mean grey are multiplied by the factor."""

    needs_means = True

    def by(self, factors: Tensor, means: Tensor) -> Affine:
        """A multiple of the identity, and an offset that keeps the mean grey."""
        return contrast(factors, means)


class Saturation(Factor):
    """Distances of each pixel from its own grey are multiplied by the factor."""

    mixes_channels = True

    def by(self, factors: Tensor, means: Tensor) -> Affine:
        """Between the identity and the projection on grey, or beyond."""
        return saturation(factors, means)


class Grey(Colour):
    """Colours become grey, with probability `p`."""

    mixes_channels = True

    def __init__(self, *, p: float = 0.1) -> None:
        super().__init__(p)

    def affine(self, means: Tensor) -> Affine:
        """The projection on grey, or the identity."""
        return saturation(self.for_chosen(means.new_zeros(len(means)), 1.0), means)


class ChannelShift(Colour):
    """Each channel becomes brighter or darker by up to `change`, a share of white, by itself."""

    def __init__(self, *, change: float = 0.1, p: float = 1.0) -> None:
        super().__init__(p)
        check_between("change", change, 0)
        self.change = change

    def affine(self, means: Tensor) -> Affine:
        """An offset."""
        offsets = self.for_chosen(self.uniform(tuple(means.shape), -self.change, self.change, means.device), 0.0) * 255
        return _identity(means), offsets


def brightness(factors: Tensor, means: Tensor) -> Affine:
    """Factors (samples,) -> every channel is multiplied."""
    return _identity(means) * factors[:, None, None], torch.zeros_like(means)


def contrast(factors: Tensor, means: Tensor) -> Affine:
    """Factors (samples,) and mean colours (samples, channels) -> blends with the mean grey."""
    grey = means @ _luma(means)
    return _identity(means) * factors[:, None, None], ((1 - factors) * grey)[:, None].expand_as(means)


def saturation(factors: Tensor, means: Tensor) -> Affine:
    """Factors (samples,) -> blends of each pixel with its grey."""
    to_grey = _luma(means).expand(3, 3)
    factors = factors[:, None, None]
    return _identity(means) * factors + to_grey * (1 - factors), torch.zeros_like(means)


def then(first: Affine, second: Affine) -> Affine:
    """One map that is as good as the two after another."""
    (matrix, offset), (next_matrix, next_offset) = first, second
    return next_matrix @ matrix, torch.baddbmm(next_offset[:, :, None], next_matrix, offset[:, :, None])[:, :, 0]


def apply(affine: Affine, pixels: Tensor, out: Tensor | None = None) -> Tensor:
    """Colours (samples, channels, height, width), float32, after the map; in `out` where that is given."""
    matrix, offset = affine
    if pixels.shape[1] == 1:
        return torch.addcmul(offset[:, :, None, None], pixels, matrix[:, :, :1, None], out=out)
    flat = None if out is None else out.view(len(out), out.shape[1], -1)
    return torch.baddbmm(offset[:, :, None], matrix, pixels.flatten(2), out=flat).view(pixels.shape)


def _identity(means: Tensor) -> Tensor:
    return torch.eye(means.shape[1], device=means.device).expand(len(means), -1, -1)


def _luma(means: Tensor) -> Tensor:
    """Weights of the channels in grey; where there are not three of them, they weigh the same."""
    channels = means.shape[1]
    return torch.tensor(LUMA if channels == 3 else (1 / channels,) * channels, device=means.device)
