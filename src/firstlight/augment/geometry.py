"""Steps that move pixels: each draws one 3x3 matrix per sample, see `matrices`."""

import math
from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from firstlight.augment.matrices import homography, rotation, scaling, shear, translation
from firstlight.augment.step import Size, Step, check_between, check_order


class Geometry(Step, ABC):
    """A step that moves pixels.

    Attributes:
        exact: whether it only mirrors, and shifts by whole pixels, so that no pixel has to be interpolated.
    """

    exact: ClassVar[bool] = False

    @abstractmethod
    def matrices(self, num_samples: int, size: Size, device: torch.device) -> Tensor:
        """Random matrices (samples, 3, 3) for pictures of which a network sees `size` (height, width)."""


class Flip(Geometry):
    """Left becomes right, with probability `p`."""

    exact = True

    def __init__(self, *, p: float = 0.5) -> None:
        super().__init__(p)

    def matrices(self, num_samples: int, size: Size, device: torch.device) -> Tensor:
        """Diagonal: -1 for x, or 1."""
        return scaling(x=self.for_chosen(torch.full((num_samples,), -1.0, device=device), 1.0))


class VerticalFlip(Geometry):
    """Up becomes down, with probability `p`."""

    exact = True

    def __init__(self, *, p: float = 0.5) -> None:
        super().__init__(p)

    def matrices(self, num_samples: int, size: Size, device: torch.device) -> Tensor:
        """Diagonal: -1 for y, or 1."""
        return scaling(y=self.for_chosen(torch.full((num_samples,), -1.0, device=device), 1.0))


class Rotate(Geometry):
    """A turn around the centre by up to `degrees` to either side."""

    def __init__(self, *, degrees: float = 15.0, p: float = 1.0) -> None:
        super().__init__(p)
        check_between("degrees", degrees, 0)
        self.degrees = degrees

    def matrices(self, num_samples: int, size: Size, device: torch.device) -> Tensor:
        """Angles are uniform."""
        return rotation(self.for_chosen(self.uniform((num_samples,), -self.degrees, self.degrees, device), 0.0))


class Zoom(Geometry):
    """Enlarged or shrunk around the centre by a factor from `low` to `high`."""

    def __init__(self, *, low: float = 0.9, high: float = 1.1, p: float = 1.0) -> None:
        super().__init__(p)
        check_between("low", low, 0.01)
        check_order(low=low, high=high)
        self.low, self.high = low, high

    def matrices(self, num_samples: int, size: Size, device: torch.device) -> Tensor:
        """Factors are uniform; above 1 things become larger."""
        factors = self.for_chosen(self.uniform((num_samples,), self.low, self.high, device), 1.0)
        return scaling(x=1 / factors, y=1 / factors)


class Shift(Geometry):
    """Moved by up to `width` to either side and `height` up or down: shares of the picture, in whole pixels."""

    exact = True

    def __init__(self, *, width: float = 0.1, height: float = 0.1, p: float = 1.0) -> None:
        super().__init__(p)
        check_between("width", width, 0)
        check_between("height", height, 0)
        self.width, self.height = width, height

    def matrices(self, num_samples: int, size: Size, device: torch.device) -> Tensor:
        """Every number of pixels up to the largest is equally likely."""
        most = torch.tensor([self.width * size[1], self.height * size[0]], device=device).round()
        return translation(self.for_chosen(_whole_pixels(num_samples, most), 0.0))


class PadAndCrop(Geometry):
    """Padded by `pixels` on every side, then cut to its size anywhere: a shift by up to that many whole pixels."""

    exact = True

    def __init__(self, *, pixels: int = 4, p: float = 1.0) -> None:
        super().__init__(p)
        check_between("pixels", pixels, 0)
        self.pixels = pixels

    def matrices(self, num_samples: int, size: Size, device: torch.device) -> Tensor:
        """Every number of pixels up to the largest is equally likely."""
        most = torch.full((2,), float(self.pixels), device=device)
        return translation(self.for_chosen(_whole_pixels(num_samples, most), 0.0))


class Shear(Geometry):
    """Slanted by up to `degrees`, and by up to `vertical_degrees` in the other direction."""

    def __init__(self, *, degrees: float = 10.0, vertical_degrees: float = 0.0, p: float = 1.0) -> None:
        super().__init__(p)
        check_between("degrees", degrees, 0, 89)
        check_between("vertical_degrees", vertical_degrees, 0, 89)
        self.degrees, self.vertical_degrees = degrees, vertical_degrees

    def matrices(self, num_samples: int, size: Size, device: torch.device) -> Tensor:
        """Angles are uniform."""
        angles = self.uniform((num_samples, 2), -1, 1, device)
        angles *= torch.tensor([self.degrees, self.vertical_degrees], device=device)
        return shear(self.for_chosen(angles, 0.0))


class Perspective(Geometry):
    """Seen from elsewhere: each corner is moved by up to `distortion` of half the side, in or out (a homography)."""

    def __init__(self, *, distortion: float = 0.2, p: float = 1.0) -> None:
        super().__init__(p)
        check_between("distortion", distortion, 0, 0.49)  # from 0.5 on, a picture could turn over
        self.distortion = distortion

    def matrices(self, num_samples: int, size: Size, device: torch.device) -> Tensor:
        """The moves of the four corners are uniform."""
        moves = self.uniform((num_samples, 4, 2), -self.distortion, self.distortion, device)
        half = torch.tensor([size[1] / 2, size[0] / 2], device=device)
        return homography(self.for_chosen(moves, 0.0) * half, half)


class RandomResizedCrop(Geometry):
    """A piece of the picture at the size of the whole (Szegedy et al. 2015, section 6).

    Args:
        scale_low: least share of the picture's area.
        scale_high: largest share.
        ratio_low: least width over height, as a multiple of the picture's own.
        ratio_high: largest width over height, likewise.
        p: probability that a sample is cut.

    Raises:
        ValueError: a range is the wrong way round, or an area beyond the picture.
    """

    def __init__(
        self,
        *,
        scale_low: float = 0.08,
        scale_high: float = 1.0,
        ratio_low: float = 0.75,
        ratio_high: float = 4 / 3,
        p: float = 1.0,
    ) -> None:
        super().__init__(p)
        check_between("scale_low", scale_low, 0.0001)
        check_between("scale_high", scale_high, 0, 1)
        check_between("ratio_low", ratio_low, 0.01)
        check_order(scale_low=scale_low, scale_high=scale_high)
        check_order(ratio_low=ratio_low, ratio_high=ratio_high)
        self.scales, self.ratios = (scale_low, scale_high), (ratio_low, ratio_high)

    def matrices(self, num_samples: int, size: Size, device: torch.device) -> Tensor:
        """Areas are uniform, the logarithms of ratios too; what would be wider than the picture is as wide as it."""
        area = self.uniform((num_samples,), *self.scales, device)
        low, high = self.ratios
        log_ratio = self.uniform((num_samples,), math.log(low), math.log(high), device)
        ratio = torch.exp(log_ratio).clamp(area, 1 / area)  # beyond, one side would be larger than the picture
        shares = torch.stack([(area * ratio).sqrt(), (area / ratio).sqrt()], 1)
        shares = self.for_chosen(shares, 1.0)
        places = self.uniform((num_samples, 2), -0.5, 0.5, device) * (1 - shares)
        crop = scaling(x=shares[:, 0], y=shares[:, 1])
        crop[:, 0, 2], crop[:, 1, 2] = places[:, 0] * size[1], places[:, 1] * size[0]
        return crop


def _whole_pixels(num_samples: int, most: Tensor) -> Tensor:
    """Whole numbers (samples, 2) from -most to most."""
    draws = torch.rand(num_samples, 2, device=most.device)
    # The product can round up to the width of the range, one beyond its last whole number.
    return torch.minimum((draws * (2 * most + 1)).floor(), 2 * most) - most
