"""The inversion of images whose ground is not that of the training images, as tensor operations that export."""

import torch
from torch import Tensor, nn

from firstlight.data.ground import TOLERANCE


class InvertOther(nn.Module):
    """Invert the images of the other ground: black on white where training had white on black, or the reverse.

    Args:
        ground: the ground of the training images: "dark" or "light".
        margin: stored pixels on every side, which are left out.
    """

    def __init__(self, ground: str, margin: int = 0) -> None:
        super().__init__()
        self.wants_light = ground == "dark"
        self.margin = margin

    def forward(self, images: Tensor) -> Tensor:
        """Return images (batch, channels, height, width), uint8, inverted as `has_ground` of the package decides."""
        height, width = images.shape[2:]
        inside = images[:, :, self.margin : height - self.margin, self.margin : width - self.margin]
        pixels = _border(inside).double() / 255
        ordered = pixels.sort(2).values
        number = ordered.shape[2]
        median = (ordered[:, :, (number - 1) // 2] + ordered[:, :, number // 2]) / 2
        near = ((pixels - median[:, :, None]).abs() < TOLERANCE).double().mean(2)
        is_other = (near >= 0.5) & ((median > 0.5) == self.wants_light)
        chosen = is_other.all(1)[:, None, None, None]
        return torch.where(chosen, 255 - images, images)


def _border(images: Tensor) -> Tensor:
    """Return the pixels at the border: (..., height, width) -> (..., pixels)."""
    sides = images[..., 0, :], images[..., -1, :], images[..., 1:-1, 0], images[..., 1:-1, -1]
    return torch.cat(sides, -1)
