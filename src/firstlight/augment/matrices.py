"""Geometric transforms of images, as one 3x3 matrix per sample.

A matrix multiplies the homogeneous coordinates (x, y, 1) of a pixel in the output; the product is its position in the
input. Coordinates are in pixels of the stored image, relative to its centre, with x to the right and y down. Rotations
and shears therefore do not depend on the image's shape. Each function appends a change to the given matrices
(samples, 3, 3), which it may modify, and returns the result.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from firstlight.augment.constant import constant
from firstlight.spec import Size


def identity(num_samples: int, device: torch.device) -> Tensor:
    """Return matrices (samples, 3, 3) that change nothing."""
    return constant(((1, 0, 0), (0, 1, 0), (0, 0, 1)), device).repeat(num_samples, 1, 1)


def scale(matrices: Tensor, x: Tensor | None = None, y: Tensor | None = None) -> Tensor:
    """Multiply the output coordinates by `x` and `y` (samples,). Factors above 1 shrink the image."""
    for column, factors in enumerate((x, y)):
        if factors is not None:
            matrices[:, :, column] *= factors[:, None]
    return matrices


def translate(matrices: Tensor, pixels: Tensor) -> Tensor:
    """Move the image by `pixels` (samples, 2) to the right and down."""
    matrices[:, :, 2:] -= matrices[:, :, :2] @ pixels[:, :, None]
    return matrices


def rotate(matrices: Tensor, degrees: Tensor) -> Tensor:
    """Rotate the image anticlockwise by `degrees` (samples,)."""
    angles = degrees * (math.pi / 180)
    cos, sin = angles.cos(), angles.sin()
    return _mix_axes(matrices, cos, -sin, sin, cos)


def shear(matrices: Tensor, degrees: Tensor) -> Tensor:
    """Shear the image along x, then along y, by `degrees` (samples, 2)."""
    x, y = torch.tan(degrees * (math.pi / 180)).unbind(1)
    # The inverse of a shear along x and then along y, [[1, 0], [y, 1]] @ [[1, x], [0, 1]].
    return _mix_axes(matrices, 1 + x * y, -x, -y, torch.ones_like(x))


def _mix_axes(matrices: Tensor, *entries: Tensor) -> Tensor:
    """Multiply the output coordinates by 2x2 matrices, given by their four entries (samples,) row by row."""
    matrices[:, :, :2] = matrices[:, :, :2] @ torch.stack(entries, 1).view(-1, 2, 2)
    return matrices


def homography(matrices: Tensor, moves: Tensor, size: Size) -> Tensor:
    """Move the four corners of the image.

    Source: Heckbert 1989, "Fundamentals of texture mapping and image warping", section 2.2.3. This implementation uses
    the basis in which the last three corners of a quadrilateral are the axes and the first corner is their sum.

    Args:
        matrices: (samples, 3, 3), of the previous changes.
        moves: (samples, 4, 2), moves of the top left, top right, bottom right and bottom left corner to the right and
            down, as fractions of half the image's width and height.
        size: height and width of the image, in pixels.
    """
    device, x, y = moves.device, size[1] / 2, size[0] / 2
    corners = constant(((-x, x, x, -x), (-y, -y, y, y), (1, 1, 1, 1)), device)
    moved = torch.addcmul(corners, F.pad(moves.mT, (0, 0, 0, 1)), constant(((x,), (y,), (1,)), device))
    # For a rectangle, the first corner is the second minus the third plus the fourth: its basis only needs signs.
    from_basis = constant(((x, -x, -x), (-y, -y, y), (1, -1, 1)), device)
    # The transposed inverse of the moved corners' basis, up to a factor, which cancels in homogeneous coordinates.
    first, others = moved[:, :, :1], moved[:, :, 1:]
    to_basis = torch.linalg.cross(others.roll(-1, 2), others.roll(-2, 2), dim=1)
    to_basis /= first.mT @ to_basis
    change = (to_basis @ from_basis.T).mT
    return matrices @ (change / change[:, 2:, 2:])
