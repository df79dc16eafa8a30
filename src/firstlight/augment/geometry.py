"""Geometry steps, which move pixels. Each step appends its change to one 3x3 matrix per sample, see `matrices`.

The pipeline then resamples each image once, however many geometry steps there are.
"""

import math
from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from firstlight.augment.constant import constant
from firstlight.augment.matrices import homography, rotate, scale, shear, translate
from firstlight.augment.step import Step, check_order
from firstlight.checks import check_range
from firstlight.spec import Size


class Geometry(Step, ABC):
    """A step that moves pixels.

    Attributes:
        exact: whether the step only mirrors images or shifts them by whole pixels, so that no pixel is interpolated.
    """

    stage = "geometry"
    exact: ClassVar[bool] = False

    @abstractmethod
    def change(self, matrices: Tensor, size: Size) -> Tensor:
        """Append a random change per sample to the matrices of the previous steps.

        Args:
            matrices: (samples, 3, 3); they may be modified.
            size: height and width of the images in pixels, without the margin of stored images.
        """


class Flip(Geometry):
    """Flip each image from left to right with probability `p`."""

    exact = True

    def __init__(self, *, p: float = 0.5) -> None:
        super().__init__(p)

    def change(self, matrices: Tensor, size: Size) -> Tensor:
        return scale(matrices, x=torch.where(self.chosen(len(matrices), matrices.device), -1.0, 1.0))


class VerticalFlip(Geometry):
    """Mirror images from top to bottom, with probability `p`."""

    exact = True

    def __init__(self, *, p: float = 0.5) -> None:
        super().__init__(p)

    def change(self, matrices: Tensor, size: Size) -> Tensor:
        return scale(matrices, y=torch.where(self.chosen(len(matrices), matrices.device), -1.0, 1.0))


class Rotate(Geometry):
    """Rotate images around their centre by a uniform angle, up to `degrees` in either direction.

    Raises:
        ValueError: `degrees` is negative.
    """

    def __init__(self, *, degrees: float = 15.0, p: float = 1.0) -> None:
        super().__init__(p)
        check_range("degrees", degrees, at_least=0)
        self.degrees = degrees

    def change(self, matrices: Tensor, size: Size) -> Tensor:
        degrees = self.uniform((len(matrices),), -self.degrees, self.degrees, matrices.device)
        return rotate(matrices, self.for_chosen(degrees, 0.0))


class Zoom(Geometry):
    """Scale images around their centre by a uniform factor from `low` to `high`; factors above 1 enlarge.

    Raises:
        ValueError: `low` is below 0.01, or larger than `high`.
    """

    def __init__(self, *, low: float = 0.9, high: float = 1.1, p: float = 1.0) -> None:
        super().__init__(p)
        check_range("low", low, at_least=0.01)
        check_order(low=low, high=high)
        self.low, self.high = low, high

    def change(self, matrices: Tensor, size: Size) -> Tensor:
        factors = self.for_chosen(self.uniform((len(matrices),), self.low, self.high, matrices.device), 1.0)
        return scale(matrices, x=1 / factors, y=1 / factors)


class Shift(Geometry):
    """Shift images by a random number of whole pixels, horizontally and vertically.

    Args:
        width: the largest shift to the left and to the right, as a fraction of the image's width.
        height: the largest shift up and down, as a fraction of the image's height.
        p: probability that a sample is shifted.

    Raises:
        ValueError: a fraction is negative.
    """

    exact = True

    def __init__(self, *, width: float = 0.1, height: float = 0.1, p: float = 1.0) -> None:
        super().__init__(p)
        check_range("width", width, at_least=0)
        check_range("height", height, at_least=0)
        self.width, self.height = width, height

    def change(self, matrices: Tensor, size: Size) -> Tensor:
        max_pixels = constant((round(self.width * size[1]), round(self.height * size[0])), matrices.device)
        return translate(matrices, self.for_chosen(_draw_whole_pixels(len(matrices), max_pixels), 0.0))


class PadAndCrop(Geometry):
    """Pad images by `pixels` on every side, then crop them to their size at a random position.

    This is a shift by up to `pixels` whole pixels.

    Raises:
        ValueError: `pixels` is negative.
    """

    exact = True

    def __init__(self, *, pixels: int = 4, p: float = 1.0) -> None:
        super().__init__(p)
        check_range("pixels", pixels, at_least=0)
        self.pixels = pixels

    def change(self, matrices: Tensor, size: Size) -> Tensor:
        max_pixels = constant((self.pixels, self.pixels), matrices.device)
        return translate(matrices, self.for_chosen(_draw_whole_pixels(len(matrices), max_pixels), 0.0))


class Shear(Geometry):
    """Shear images by uniform angles.

    Args:
        degrees: the largest angle along the rows, in either direction.
        vertical_degrees: the largest angle along the columns, in either direction.
        p: probability that a sample is sheared.

    Raises:
        ValueError: an angle is outside 0 to 89.
    """

    def __init__(self, *, degrees: float = 10.0, vertical_degrees: float = 0.0, p: float = 1.0) -> None:
        super().__init__(p)
        check_range("degrees", degrees, at_least=0, at_most=89)
        check_range("vertical_degrees", vertical_degrees, at_least=0, at_most=89)
        self.degrees, self.vertical_degrees = degrees, vertical_degrees

    def change(self, matrices: Tensor, size: Size) -> Tensor:
        angles = self.uniform((len(matrices), 2), -1, 1, matrices.device)
        angles *= constant((self.degrees, self.vertical_degrees), matrices.device)
        return shear(matrices, self.for_chosen(angles, 0.0))


class Perspective(Geometry):
    """Apply a random change of perspective, a homography: each corner of the image moves separately.

    Args:
        distortion: the largest distance that a corner moves, inwards or outwards, along each axis, as a fraction of
            half the width and height.
        p: probability that a sample is changed.

    Raises:
        ValueError: `distortion` is outside 0 to 0.49.
    """

    def __init__(self, *, distortion: float = 0.2, p: float = 1.0) -> None:
        super().__init__(p)
        check_range("distortion", distortion, at_least=0, at_most=0.49)  # at 0.5, the corners may no longer be convex
        self.distortion = distortion

    def change(self, matrices: Tensor, size: Size) -> Tensor:
        moves = self.uniform((len(matrices), 4, 2), -self.distortion, self.distortion, matrices.device)
        return homography(matrices, self.for_chosen(moves, 0.0), size)


class RandomResizedCrop(Geometry):
    """Crop a random rectangle and resize it to the size of the image (Szegedy et al. 2015, section 6).

    The area is drawn uniformly, and so is the logarithm of the aspect ratio. A rectangle that would be wider or higher
    than the image gets the image's width or height.

    Args:
        scale_low: the smallest area, as a fraction of the image's.
        scale_high: the largest area, as a fraction of the image's.
        ratio_low: the smallest aspect ratio (width / height), as a multiple of the image's.
        ratio_high: the largest aspect ratio, as a multiple of the image's.
        p: probability that a sample is cropped.

    Raises:
        ValueError: an area is outside 0.0001 to 1, a ratio is below 0.01, or a lower bound is above its upper bound.
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
        num_samples, device = len(matrices), matrices.device
        area = self.uniform((num_samples,), *self.scales, device)
        low, high = self.ratios
        log_ratio = self.uniform((num_samples,), math.log(low), math.log(high), device)
        ratio = torch.exp(log_ratio).clamp(area, 1 / area)  # so that both sides fit into the image
        sides = torch.stack([(area * ratio).sqrt(), (area / ratio).sqrt()], 1)
        sides = self.for_chosen(sides, 1.0)
        centres = self.uniform((num_samples, 2), -0.5, 0.5, device) * (1 - sides)
        matrices = translate(matrices, -centres * constant((size[1], size[0]), device))
        return scale(matrices, *sides.unbind(1))


def _draw_whole_pixels(num_samples: int, max_pixels: Tensor) -> Tensor:
    """Draw whole numbers from -max_pixels to max_pixels (2,), all equally likely: (samples, 2)."""
    draws = torch.rand(num_samples, 2, device=max_pixels.device)
    # The product can be rounded up to 2 * max_pixels + 1, which is one too many.
    return torch.minimum((draws * (2 * max_pixels + 1)).floor(), 2 * max_pixels) - max_pixels
