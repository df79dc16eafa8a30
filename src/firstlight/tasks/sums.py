"""Means over a pass through a split, from sums."""

from collections.abc import Callable

import torch
from torch import Tensor

Totals = dict[str, float]


class Sums:
    """Named sums over one pass through a split, kept on the device.

    Args:
        names: of the sums.
        compute: from the sums, as plain numbers, to the metrics.
        device: of the task.
    """

    def __init__(self, names: tuple[str, ...], compute: Callable[[Totals], Totals], device: torch.device) -> None:
        self.names = names
        self._compute = compute
        # In float32, a sum of millions would lose its last ones; Apple's GPUs have nothing better.
        dtype = torch.float32 if device.type == "mps" else torch.float64
        self.totals = torch.zeros(len(names), dtype=dtype, device=device)

    def add(self, **values: Tensor | float) -> None:
        """Add a batch's part of each sum: scalars, on the device or plain."""
        assert set(values) == set(self.names)
        parts = [torch.as_tensor(values[name], device=self.totals.device).detach() for name in self.names]
        self.totals += torch.stack([part.to(self.totals.dtype) for part in parts])

    def sums(self) -> list[Tensor]:
        """What several processes add up."""
        return [self.totals]

    def compute(self) -> dict[str, float]:
        """The metrics of the pass."""
        return self._compute(dict(zip(self.names, self.totals.tolist(), strict=True)))
