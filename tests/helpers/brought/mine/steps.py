"""Augmentation: a step, and a module that is none."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from firstlight.augment.step import Step


class Dim(Step):
    """Darken some images."""

    seen: ClassVar[list[Tensor]] = []  # all batches in this process

    def __init__(self, *, strength: float = 0.5, p: float = 0.5) -> None:
        super().__init__(p)
        self.strength = strength

    def apply(self, samples: Tensor) -> Tensor:
        """Return images (samples, channels, height, width)."""
        self.seen.append(samples.clone())
        chosen = self.chosen(len(samples), samples.device)[:, None, None, None]
        return torch.where(chosen, samples * (1 - self.strength), samples)


class Halve(nn.Module):
    """Drop every second column."""

    def forward(self, images: Tensor) -> Tensor:
        """Return smaller images."""
        return images[..., ::2]
