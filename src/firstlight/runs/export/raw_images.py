"""From a decoded image of any size to the stored form of training images, with the pixels of `read_image`."""

import torch
from torch import Tensor, nn

from firstlight.runs.export.resampling import Axis, resample
from firstlight.spec import DataSpec

# Weights of red, green and blue in grey, in multiples of 2**-16 (ITU-R BT.601, as in Pillow's conversion to "L").
_LUMA = (19595, 38470, 7471)


class RawImages(nn.Module):
    """Convert images of any size, grey or colour, opaque or transparent, to the shape that the spec stores.

    Args:
        spec: the data that the network was trained on.
        interpolation: "bilinear" or "bicubic", for the resize.
    """

    def __init__(self, spec: DataSpec, interpolation: str = "bilinear") -> None:
        super().__init__()
        self.channels, *size = spec.stored_shape
        self.size = (size[0], size[1])
        self.fit = spec.fit
        self.interpolation = interpolation

    def forward(self, images: Tensor) -> Tensor:
        """Convert (batch, any height, any width, 4), uint8, to (batch, *stored_shape), uint8.

        The last axis holds red, green, blue and opacity; transparent parts become white.
        """
        colour = _on_white(images.double().permute(0, 3, 1, 2))
        if self.channels == 1:
            # Pillow converts opaque images and composites alike: first white below, then grey.
            red, green, blue = (colour[:, i : i + 1] * weight for i, weight in enumerate(_LUMA))
            colour = ((red + green + blue + (1 << 15)) / (1 << 16)).floor()
        height, width = (torch.scalar_tensor(size, dtype=torch.float64) for size in colour.shape[2:])
        rows, columns = self._axes(height, width)
        return resample(colour, rows, columns, self.size, self.interpolation).to(torch.uint8)

    def _axes(self, height: Tensor, width: Tensor) -> tuple[Axis, Axis]:
        """Return which part of the image is resized, and where it lies in the result."""
        new_height, new_width = (torch.scalar_tensor(size, dtype=torch.float64) for size in self.size)
        zero = torch.zeros_like(height)
        if self.fit == "stretch":
            return Axis(height, zero, height, new_height, zero), Axis(width, zero, width, new_width, zero)
        if self.fit == "pad":
            scale = torch.minimum(new_width / width, new_height / height)
            return _padded(height, new_height, scale), _padded(width, new_width, scale)
        ratio = new_width / new_height
        is_wide = width / height >= ratio
        part_width = torch.where(is_wide, ratio * height, width)
        part_height = torch.where(is_wide, height, width / ratio)
        return (
            Axis(height, (height - part_height) * 0.5, part_height, new_height, zero),
            Axis(width, (width - part_width) * 0.5, part_width, new_width, zero),
        )


def _padded(size: Tensor, new_size: Tensor, scale: Tensor) -> Axis:
    """Return how an axis is resized by `scale`, with black on both sides of it."""
    inside = (size * scale).round().clamp_min(1)
    return Axis(size, torch.zeros_like(size), size, inside, ((new_size - inside) / 2).floor())


def _on_white(images: Tensor) -> Tensor:
    """Put white behind transparent pixels, with the rounding of Pillow: (batch, 4, ...) -> (batch, 3, ...)."""
    colour, alpha = images[:, :3], images[:, 3:]
    # Pillow's alpha_composite with an opaque image below, whose result is opaque: 7 more bits, then rounded.
    above = (alpha * (255 * 255 << 7) / (255 * 255)).floor()
    mixed = colour * above + 255 * ((255 << 7) - above) + (0x80 << 7)
    return ((((mixed / 256).floor() + mixed) / 256).floor() / 128).floor()
