"""Kernels of image processing by name."""

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
    "sobel_x": [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],  # change from left to right
    "sobel_y": [[-1, -2, -1], [0, 0, 0], [1, 2, 1]],  # from top to bottom
    "prewitt_x": [[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]],
    "prewitt_y": [[-1, -1, -1], [0, 0, 0], [1, 1, 1]],
}


def stack_kernels(kernels: str | Sequence[str | Rows]) -> Tensor:
    """Kernels as one tensor (kernels, size, size), the smaller ones in the middle of zeros.

    Args:
        kernels: a name or names of `KERNELS`, or rows of numbers, each with a middle: odd height and width.

    Raises:
        ValueError: no kernel, a name that there is not, or rows that are no such kernel.
    """
    if isinstance(kernels, str):
        kernels = [kernels]
    if not kernels:
        raise ValueError(f"kernels=[]: must hold at least one kernel; known: {', '.join(KERNELS)}.")
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
            f"kernels: {list(kernel)} is a row; a kernel is a list of rows, and kernels are a list of these."
        )
    widths = {len(row) for row in kernel}
    if len(widths) != 1 or len(kernel) % 2 == 0 or min(widths) % 2 == 0:
        raise ValueError(f"kernels={kernel}: rows of the same length, an odd number of them and of numbers in each.")
    if not all(math.isfinite(value) for row in kernel for value in row):
        raise ValueError(f"kernels={kernel}: every value has to be a number.")
    return torch.tensor(kernel, dtype=torch.float32)
