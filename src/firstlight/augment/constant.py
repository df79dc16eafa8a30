"""Small constant tensors that are created once per device, instead of being copied to the device for every batch."""

from functools import cache

import torch
from torch import Tensor

Numbers = tuple[float, ...] | tuple[tuple[float, ...], ...]


@cache
def constant(values: Numbers, device: torch.device) -> Tensor:
    """Return `values` as a float32 tensor. All callers get the same tensor, so it must not be modified."""
    with torch.inference_mode(False):  # autograd cannot use a tensor that was created in inference mode
        return torch.tensor(values, dtype=torch.float32, device=device)


@cache
def pixel_centres(length: int, extent: float, device: torch.device) -> Tensor:
    """Divide `extent` into `length` equal parts and return their centres, relative to its centre: (length,)."""
    with torch.inference_mode(False):
        return (torch.arange(length, device=device) + 0.5) * (extent / length) - extent / 2
