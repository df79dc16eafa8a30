"""Steps that move pixels: each draws one 3x3 matrix per sample, see `matrices`."""

import math
from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from firstlight.augment.constant import constant
from firstlight.augment.matrices import homography, rotate, scale, shear, translate
from firstlight.augment.step import Size, Step, check_order
from firstlight.checks import check_range


class Geometry(Step, ABC):
    """A step that moves pixels.

    Attributes:
        exact: whether it only mirrors, and shifts by whole pixels, so that no pixel has to be interpolated.
    """

    exact: ClassVar[bool] = False

    @abstractmethod
    def change(self, matrices: Tensor, size: Size) -> Tensor:
        """The matrices (samples, 3, 3), and after them random ones of this step.

        Args:
            matrices: of the steps before this one; they may be written to.
            size: height and width of what a network sees of the images.
        """


class Flip(Geometry):
    """Left becomes right, with probability `p`."""

    exact = True

    def __init__(self, *, p: float = 0.5) -> None:
        super().__init__(p)

    def change(self, matrices: Tensor, size: Size) -> Tensor:
        """The factor of x is -1 or 1."""
        return scale(matrices, x=torch.where(self.chosen(len(matrices), matrices.device), -1.0, 1.0))


class VerticalFlip(Geometry):
    """Up becomes down, with probability `p`."""

    exact = True

    def __init__(self, *, p: float = 0.5) -> None:
        super().__init__(p)

    def change(self, matrices: Tensor, size: Size) -> Tensor:
        """The factor of y is -1 or 1."""
        return scale(matrices, y=torch.where(self.chosen(len(matrices), matrices.device), -1.0, 1.0))


class Rotate(Geometry):
    """A turn around the centre by up to `degrees` to either side."""

    def __init__(self, *, degrees: float = 15.0, p: float = 1.0) -> None:
        super().__init__(p)
        check_range("degrees", degrees, at_least=0)
        self.degrees = degrees

    def change(self, matrices: Tensor, size: Size) -> Tensor:
        """Angles are uniform."""
        degrees = self.uniform((len(matrices),), -self.degrees, self.degrees, matrices.device)
        return rotate(matrices, self.for_chosen(degrees, 0.0))


class Zoom(Geometry):
    """Enlarged or shrunk around the centre by a factor from `low` to `high`."""

    def __init__(self, *, low: float = 0.9, high: float = 1.1, p: float = 1.0) -> None:
        super().__init__(p)
        check_range("low", low, at_least=0.01)
        check_order(low=low, high=high)
        self.low, self.high = low, high

    def change(self, matrices: Tensor, size: Size) -> Tensor:
        """Factors are uniform; above 1 things become larger."""
        factors = self.for_chosen(self.uniform((len(matrices),), self.low, self.high, matrices.device), 1.0)
        return scale(matrices, x=1 / factors, y=1 / factors)


class Shift(Geometry):
    """Moved by up to `width` to either side and `height` up or down: shares of the image, in whole pixels."""

    exact = True

    def __init__(self, *, width: float = 0.1, height: float = 0.1, p: float = 1.0) -> None:
        super().__init__(p)
        check_range("width", width, at_least=0)
        check_range("height", height, at_least=0)
        self.width, self.height = width, height

    def change(self, matrices: Tensor, size: Size) -> Tensor:
        """Every number of pixels up to the largest is equally likely."""
        max_pixels = constant((round(self.width * size[1]), round(self.height * size[0])), matrices.device)
        return translate(matrices, self.for_chosen(_draw_whole_pixels(len(matrices), max_pixels), 0.0))


class PadAndCrop(Geometry):
    """Padded by `pixels` on every side, then cut to its size anywhere: a shift by up to that many whole pixels."""

    exact = True

    def __init__(self, *, pixels: int = 4, p: float = 1.0) -> None:
        super().__init__(p)
        check_range("pixels", pixels, at_least=0)
        self.pixels = pixels

    def change(self, matrices: Tensor, size: Size) -> Tensor:
        """Every number of pixels up to the largest is equally likely."""
        max_pixels = constant((self.pixels, self.pixels), matrices.device)
        return translate(matrices, self.for_chosen(_draw_whole_pixels(len(matrices), max_pixels), 0.0))


class Shear(Geometry):
    """Slanted by up to `degrees`, and by up to `vertical_degrees` in the other direction."""

    def __init__(self, *, degrees: float = 10.0, vertical_degrees: float = 0.0, p: float = 1.0) -> None:
        super().__init__(p)
        check_range("degrees", degrees, at_least=0, at_most=89)
        check_range("vertical_degrees", vertical_degrees, at_least=0, at_most=89)
        self.degrees, self.vertical_degrees = degrees, vertical_degrees

    def change(self, matrices: Tensor, size: Size) -> Tensor:
        """Angles are uniform."""
        angles = self.uniform((len(matrices), 2), -1, 1, matrices.device)
        angles *= constant((self.degrees, self.vertical_degrees), matrices.device)
        return shear(matrices, self.for_chosen(angles, 0.0))


class Perspective(Geometry):
    """Seen from elsewhere: each corner is moved by up to `distortion` of half the side, in or out (a homography)."""

    def __init__(self, *, distortion: float = 0.2, p: float = 1.0) -> None:
        super().__init__(p)
        check_range("distortion", distortion, at_least=0, at_most=0.49)  # from 0.5 on, an image could turn over
        self.distortion = distortion

    def change(self, matrices: Tensor, size: Size) -> Tensor:
        """The moves of the four corners are uniform."""
        moves = self.uniform((len(matrices), 4, 2), -self.distortion, self.distortion, matrices.device)
        return homography(matrices, self.for_chosen(moves, 0.0), size)


class RandomResizedCrop(Geometry):
    """A piece of the image at the size of the whole (Szegedy et al. 2015, section 6).

    Args:
        scale_low: least share of the image's area.
        scale_high: largest share.
        ratio_low: least width over height, as a multiple of the image's own.
        ratio_high: largest width over height, likewise.
        p: probability that a sample is cut.

    Raises:
        ValueError: a range is the wrong way round, or an area beyond the image.
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
        check_range("scale_low", scale_low, at_least=0.0001)
        check_range("scale_high", scale_high, at_least=0, at_most=1)
        check_range("ratio_low", ratio_low, at_least=0.01)
        check_order(scale_low=scale_low, scale_high=scale_high)
        check_order(ratio_low=ratio_low, ratio_high=ratio_high)
        self.scales, self.ratios = (scale_low, scale_high), (ratio_low, ratio_high)

    def change(self, matrices: Tensor, size: Size) -> Tensor:
        """Areas are uniform, the logarithms of ratios too; what would be wider than the image is as wide as it."""
        num_samples, device = len(matrices), matrices.device
        area = self.uniform((num_samples,), *self.scales, device)
        low, high = self.ratios
        log_ratio = self.uniform((num_samples,), math.log(low), math.log(high), device)
        ratio = torch.exp(log_ratio).clamp(area, 1 / area)  # beyond, one side would be larger than the image
        sides = torch.stack([(area * ratio).sqrt(), (area / ratio).sqrt()], 1)
        sides = self.for_chosen(sides, 1.0)
        centres = self.uniform((num_samples, 2), -0.5, 0.5, device) * (1 - sides)
        matrices = translate(matrices, -centres * constant((size[1], size[0]), device))
        return scale(matrices, *sides.unbind(1))


def _draw_whole_pixels(num_samples: int, max_pixels: Tensor) -> Tensor:
    """Whole numbers (samples, 2) from -most to most."""
    draws = torch.rand(num_samples, 2, device=max_pixels.device)
    # The product can round up to the width of the range, one beyond its last whole number.
    return torch.minimum((draws * (2 * max_pixels + 1)).floor(), 2 * max_pixels) - max_pixels
