"""Networks that take no spec, as people bring them."""

from typing import Any

import torch
from torch import Tensor, nn


class Plain(nn.Module):
    """A small convolutional network whose options have names that firstlight uses too."""

    def __init__(self, in_channels: int = 1, num_classes: int = 3, plan: str = "a", spec: int = 0) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(in_channels, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.output = nn.Linear(4, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.output(self.layers(images))


class Columns(nn.Sequential):
    """Two linear layers."""

    def __init__(self, in_features: int, hidden: int = 4) -> None:
        super().__init__(nn.Linear(in_features, hidden), nn.ReLU(), nn.Linear(hidden, 2))


class Pair(Plain):
    """Returns a dict."""

    def forward(self, images: Tensor) -> Any:
        return {"logits": super().forward(images)}


class Flat(nn.Module):
    """Forgets the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten() * self.scale


class Late(Plain):
    """Passes its options on."""

    def __init__(self, *args: Any, width: int = 3, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)


def number(**options: Any) -> int:
    """Return no network."""
    return 3
