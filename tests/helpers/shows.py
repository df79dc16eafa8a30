"""A task of a user that says what it shows, and a network that cannot be traced."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from firstlight.tasks import Classification


class Shows(Classification):
    """A task of a user that shows an image, and fails to show another."""

    modes: ClassVar[list[bool]] = []

    def figures(self, raw: Tensor, targets: Tensor | None = None, *, is_final: bool) -> dict[str, Tensor | str]:
        Shows.modes.append(self.training)
        torch.rand(3)  # changes no random number of the training
        if is_final:
            raise RuntimeError("out of luck")
        return {"negative": 1 - raw[:4].float() / 255, "note": f"{len(raw)} samples"}


class Branching(nn.Module):
    """Returns another type than a trace can hold during the tracing."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 10)

    def forward(self, images: Tensor) -> Tensor:
        if torch.jit.is_tracing():
            raise RuntimeError("not this way")
        return self.layer(images.flatten(1))
