"""Where each pixel of the augmented image comes from: one 3x3 matrix per sample.

A matrix takes homogeneous coordinates (x, y, 1) of a pixel in the output to its place in the input. Coordinates are
pixels of the stored image, counted from its centre, x to the right and y down, so that turning and shearing know
nothing of the image's shape. The functions add a change to the matrices that they are given, which they may write to,
and return them.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from firstlight.augment.constant import constant
from firstlight.augment.step import Size


def identity(num_samples: int, device: torch.device) -> Tensor:
    """Matrices (samples, 3, 3) that change nothing."""
    return constant(((1, 0, 0), (0, 1, 0), (0, 0, 1)), device).repeat(num_samples, 1, 1)


def scale(matrices: Tensor, x: Tensor | None = None, y: Tensor | None = None) -> Tensor:
    """Output coordinates are multiplied by `x` and `y` (samples,)."""
    for column, factors in enumerate((x, y)):
        if factors is not None:
            matrices[:, :, column] *= factors[:, None]
    return matrices


def translate(matrices: Tensor, pixels: Tensor) -> Tensor:
    """The image moves by `pixels` (samples, 2): to the right, and down."""
    matrices[:, :, 2:] -= matrices[:, :, :2] @ pixels[:, :, None]
    return matrices


def rotate(matrices: Tensor, degrees: Tensor) -> Tensor:
    """The image turns anticlockwise by `degrees` (samples,)."""
    angles = degrees * (math.pi / 180)
    cos, sin = angles.cos(), angles.sin()
    return _mix_axes(matrices, cos, -sin, sin, cos)


def shear(matrices: Tensor, degrees: Tensor) -> Tensor:
    """Rows move in proportion to their height, and columns to their place, by `degrees` (samples, 2)."""
    x, y = torch.tan(degrees * (math.pi / 180)).unbind(1)
    # What is slanted along x first and y then: the inverse of [[1, 0], [y, 1]] @ [[1, x], [0, 1]].
    return _mix_axes(matrices, 1 + x * y, -x, -y, torch.ones_like(x))


def _mix_axes(matrices: Tensor, *entries: Tensor) -> Tensor:
    """Output coordinates are multiplied by 2x2 matrices, given by their entries (samples,) in rows."""
    matrices[:, :, :2] = matrices[:, :, :2] @ torch.stack(entries, 1).view(-1, 2, 2)
    return matrices


def homography(matrices: Tensor, moves: Tensor, size: Size) -> Tensor:
    """The image's corners move.

    Source: Heckbert 1989, "Fundamentals of texture mapping and image warping", section 2.2.3; here by way of the basis
    in which a quadrilateral's last three corners are the axes, and its first their sum.

    Args:
        matrices: as for the other functions.
        moves: (samples, 4, 2) of the corners top left, top right, bottom right and bottom left, to the right and down,
            in halves of the image's width and height.
        size: height and width of the image, in pixels.

    Returns:
        (samples, 3, 3): where in the input each output pixel comes from.
    """
    device, x, y = moves.device, size[1] / 2, size[0] / 2
    corners = constant(((-x, x, x, -x), (-y, -y, y, y), (1, 1, 1, 1)), device)
    moved = torch.addcmul(corners, F.pad(moves.mT, (0, 0, 0, 1)), constant(((x,), (y,), (1,)), device))
    # A rectangle's first corner is the second less the third and the fourth: signs are all that its basis takes.
    from_basis = constant(((x, -x, -x), (-y, -y, y), (1, -1, 1)), device)
    # The inverse of the moved corners' basis, transposed, but for a factor, which homogeneous coordinates do without.
    first, others = moved[:, :, :1], moved[:, :, 1:]
    to_basis = torch.linalg.cross(others.roll(-1, 2), others.roll(-2, 2), dim=1)
    to_basis /= first.mT @ to_basis
    change = (to_basis @ from_basis.T).mT
    return matrices @ (change / change[:, 2:, 2:])
