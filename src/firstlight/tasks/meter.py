"""What metrics are computed from."""

from typing import Protocol

from torch import Tensor


class Meter(Protocol):
    """Sums over one pass through a split, kept on the device; nothing waits for the device before `compute`."""

    def sums(self) -> list[Tensor]:
        """The tensors that several processes add up, in place."""

    def compute(self) -> dict[str, float]:
        """The metrics of the pass."""
