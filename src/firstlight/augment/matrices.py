"""Where each pixel of the augmented picture comes from: one 3x3 matrix per sample.

A matrix takes homogeneous coordinates (x, y, 1) of a pixel in the output to its place in the input. Coordinates are
pixels of the stored picture, counted from its centre, x to the right and y down, so that turning and shearing know
nothing of the picture's shape.
"""

import math

import torch
from torch import Tensor


def identity(num_samples: int, device: torch.device) -> Tensor:
    """Matrices (samples, 3, 3) that change nothing."""
    return torch.eye(3, device=device).repeat(num_samples, 1, 1)


def scaling(x: Tensor | None = None, y: Tensor | None = None) -> Tensor:
    """Output coordinates are multiplied by `x` and `y` (samples,)."""
    given = x if x is not None else y
    assert given is not None
    matrices = identity(len(given), given.device)
    if x is not None:
        matrices[:, 0, 0] = x
    if y is not None:
        matrices[:, 1, 1] = y
    return matrices


def translation(pixels: Tensor) -> Tensor:
    """The picture moves by `pixels` (samples, 2): to the right, and down."""
    matrices = identity(len(pixels), pixels.device)
    matrices[:, :2, 2] = -pixels
    return matrices


def rotation(degrees: Tensor) -> Tensor:
    """The picture turns anticlockwise by `degrees` (samples,)."""
    angles = degrees * (math.pi / 180)
    cos, sin = angles.cos(), angles.sin()
    matrices = identity(len(degrees), degrees.device)
    matrices[:, 0, 0], matrices[:, 0, 1] = cos, -sin
    matrices[:, 1, 0], matrices[:, 1, 1] = sin, cos
    return matrices


def shear(degrees: Tensor) -> Tensor:
    """Rows move in proportion to their height, and columns to their place, by `degrees` (samples, 2)."""
    x, y = torch.tan(degrees * (math.pi / 180)).unbind(1)
    matrices = identity(len(degrees), degrees.device)
    # What is slanted along x first and y then: the inverse of [[1, 0], [y, 1]] @ [[1, x], [0, 1]].
    matrices[:, 0, 0], matrices[:, 0, 1] = 1 + x * y, -x
    matrices[:, 1, 0] = -y
    return matrices


def homography(moves: Tensor, half: Tensor) -> Tensor:
    """The picture's corners move.

    Source: Heckbert 1989, "Fundamentals of texture mapping and image warping", section 2.2.3 (square to quadrilateral).

    Args:
        moves: (samples, 4, 2) pixels to the right and down, of the corners top left, top right, bottom right and
            bottom left.
        half: (2,) half the width and half the height of the picture.

    Returns:
        (samples, 3, 3): where in the input each output pixel comes from.
    """
    corners = torch.tensor([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]], device=moves.device) * half + moves
    p0, p1, p2, p3 = corners.unbind(1)
    d1, d2, s = p1 - p2, p3 - p2, p0 - p1 + p2 - p3
    determinant = d1[:, 0] * d2[:, 1] - d1[:, 1] * d2[:, 0]
    g = (s[:, 0] * d2[:, 1] - s[:, 1] * d2[:, 0]) / determinant
    h = (d1[:, 0] * s[:, 1] - d1[:, 1] * s[:, 0]) / determinant
    columns = [p1 - p0 + g[:, None] * p1, p3 - p0 + h[:, None] * p3, p0]
    unit_to_corners = torch.stack(
        [torch.cat([column, w[:, None]], 1) for column, w in zip(columns, (g, h, torch.ones_like(g)), strict=True)], 2
    )
    to_unit = _adjugate(unit_to_corners)  # the inverse but for a factor, which homogeneous coordinates do without
    from_unit = (
        torch.tensor([[2.0, 0.0, -1.0], [0.0, 2.0, -1.0], [0.0, 0.0, 1.0]], device=moves.device)
        * torch.cat([half, half.new_ones(1)])[:, None]
    )
    matrices = from_unit @ to_unit
    return matrices / matrices[:, 2:, 2:]


def _adjugate(matrices: Tensor) -> Tensor:
    """The inverses of (samples, 3, 3), times their determinants: rows are cross products of columns."""
    a, b, c = matrices.unbind(2)
    return torch.stack([torch.linalg.cross(b, c), torch.linalg.cross(c, a), torch.linalg.cross(a, b)], 1)
