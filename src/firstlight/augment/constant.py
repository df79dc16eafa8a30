"""Small tensors that never change: made once for each device, not copied to it for every batch."""

from functools import cache

import torch
from torch import Tensor

Numbers = tuple[float, ...] | tuple[tuple[float, ...], ...]


@cache
def constant(values: Numbers, device: torch.device) -> Tensor:
    """`values` as float32; shared by all that ask for it, and not to be written to."""
    with torch.inference_mode(False):  # whoever asks first, it serves everyone
        return torch.tensor(values, dtype=torch.float32, device=device)


@cache
def pixel_centres(length: int, extent: float, device: torch.device) -> Tensor:
    """The middles of `length` equal parts of `extent`, counted from its centre: (length,)."""
    with torch.inference_mode(False):
        return (torch.arange(length, device=device) + 0.5) * (extent / length) - extent / 2
