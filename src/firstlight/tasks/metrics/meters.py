"""Meters: sums over one pass through a split, from which metrics are computed."""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

Totals = dict[str, float]


class Meter(Protocol):
    """Adds up batches on the device. Only `compute` waits for the device."""

    def sums(self) -> list[Tensor]:
        """Return the tensors that several processes add up, in place."""

    def compute(self) -> dict[str, float]:
        """Return the metrics of the pass."""


class Sums:
    """Named sums.

    Args:
        names: the names of the sums.
        compute: turns the sums, as plain numbers, into metrics.
        device: the device of the task.
    """

    def __init__(self, names: tuple[str, ...], compute: Callable[[Totals], Totals], device: torch.device) -> None:
        self.names = names
        self._compute = compute
        # A float32 sum of millions loses its last digits. Apple's GPUs have no float64.
        dtype = torch.float32 if device.type == "mps" else torch.float64
        self.totals = torch.zeros(len(names), dtype=dtype, device=device)

    def add(self, **values: Tensor | float) -> None:
        """Add a batch's part of each sum: scalars, as tensors on the device or as plain numbers."""
        assert set(values) == set(self.names)
        parts = [torch.as_tensor(values[name], device=self.totals.device).detach() for name in self.names]
        self.totals += torch.stack([part.to(self.totals.dtype) for part in parts])

    def sums(self) -> list[Tensor]:
        """Return the tensors that several processes add up, in place."""
        return [self.totals]

    def compute(self) -> dict[str, float]:
        """Return the metrics of the pass."""
        return self._compute(dict(zip(self.names, self.totals.tolist(), strict=True)))


def means(sums: Totals) -> Totals:
    """Divide every sum by the sum named "count", the number of samples."""
    count = max(1.0, sums["count"])
    return {name: value / count for name, value in sums.items() if name != "count"}
