"""Convolution kernels of image processing."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from firstlight.checks import choose

Rows = Sequence[Sequence[float]]

KERNELS: dict[str, Rows] = {
    "identity": [[1]],
    "blur": [[1 / 9] * 3] * 3,
    "gaussian": [[1 / 16, 2 / 16, 1 / 16], [2 / 16, 4 / 16, 2 / 16], [1 / 16, 2 / 16, 1 / 16]],
    "sharpen": [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
    "edges": [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]],
    "laplacian": [[0, 1, 0], [1, -4, 1], [0, 1, 0]],
    "emboss": [[-2, -1, 0], [-1, 1, 1], [0, 1, 2]],
    "sobel_x": [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],  # horizontal gradient
    "sobel_y": [[-1, -2, -1], [0, 0, 0], [1, 2, 1]],  # vertical gradient
    "prewitt_x": [[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]],
    "prewitt_y": [[-1, -1, -1], [0, 0, 0], [1, 1, 1]],
}


def stack_kernels(kernels: str | Sequence[str | Rows]) -> Tensor:
    """Return kernels as one tensor (kernels, size, size); smaller kernels are centred and padded with zeros.

    Args:
        kernels: a name or names of `KERNELS`, or kernels as rows of numbers, with odd height and width.

    Raises:
        ValueError: the list is empty, a name is unknown, or rows do not form a kernel of odd height and width.
    """
    if isinstance(kernels, str):
        kernels = [kernels]
    if not kernels:
        raise ValueError(f"kernels=[]: must hold at least one convolution kernel; known: {', '.join(KERNELS)}.")
    tensors = [_to_tensor(kernel) for kernel in kernels]
    size = max(max(tensor.shape) for tensor in tensors)
    margins = [((size - tensor.shape[1]) // 2, (size - tensor.shape[0]) // 2) for tensor in tensors]
    return torch.stack([F.pad(tensor, (x, x, y, y)) for tensor, (x, y) in zip(tensors, margins, strict=True)])


def _to_tensor(kernel: str | Rows) -> Tensor:
    if isinstance(kernel, str):
        choose("kernels", kernel, KERNELS, "kernel")
        kernel = KERNELS[kernel]
    if not all(isinstance(row, Sequence) for row in kernel):
        raise ValueError(
            f"kernels={list(kernel)}: must be a list of kernels, each a list of rows. To fix: add a pair of brackets."
        )
    lengths = {len(row) for row in kernel}
    if len(lengths) != 1 or len(kernel) % 2 == 0 or min(lengths) % 2 == 0:
        raise ValueError(f"kernels={kernel}: must be an odd number of rows of the same odd length.")
    if not all(math.isfinite(value) for row in kernel for value in row):
        raise ValueError(f"kernels={kernel}: must be finite numbers.")
    return torch.tensor(kernel, dtype=torch.float32)
