"""Blocks of 3x3 convolutions, and encoders of them: the parts of networks that give each pixel a class."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from firstlight.networks.layers import build_activation, build_normalisation


def conv_block(
    in_channels: int, out_channels: int, number: int, *, normalisation: str = "batch", activation: str = "relu"
) -> nn.Sequential:
    """Return 3x3 convolutions that keep height and width, each with a normalisation and an activation.

    Args:
        in_channels: input channels of the first convolution.
        out_channels: output channels of all of them.
        number: how many.
        normalisation: name of the normalisation, see `layers.build_normalisation`.
        activation: name of the activation, see `layers.ACTIVATIONS`.

    Raises:
        ValueError: the normalisation or the activation is unknown.
    """
    layers: list[nn.Module] = []
    for place in range(number):
        channels = out_channels if place else in_channels
        layers.append(nn.Conv2d(channels, out_channels, 3, padding=1, bias=normalisation == "none"))
        layers += build_normalisation(normalisation, out_channels, of_images=True)
        layers.append(build_activation(activation, inplace=True))
    return nn.Sequential(*layers)


def vgg_levels(base_channels: int, number: int) -> list[tuple[int, int]]:
    """Return the channels and the number of convolutions of each level, as in VGG16, which has 64 `base_channels`.

    The channels double up to eight times the first. The first two levels have two convolutions, later ones three.

    Args:
        base_channels: channels of the first level.
        number: number of levels.
    """
    return [(base_channels * min(8, 2**level), 2 if level < 2 else 3) for level in range(number)]


class ConvEncoder(nn.Module):
    """Levels of convolutions; a max pooling before each level but the first halves height and width, rounded up.

    Args:
        in_channels: channels of the images.
        levels: the channels and the number of convolutions of each level.
        options: normalisation and activation, see `conv_block`.
    """

    def __init__(self, in_channels: int, levels: Sequence[tuple[int, int]], **options: Any) -> None:
        super().__init__()
        before = [in_channels, *(channels for channels, _ in levels)]
        self.levels = nn.ModuleList(
            conv_block(outer, channels, number, **options)
            for outer, (channels, number) in zip(before, levels, strict=False)
        )

    def forward(self, inputs: Tensor) -> list[Tensor]:
        """Return the output of each level: (batch, channels, ceil(height / 2**level), ceil(width / 2**level))."""
        found: list[Tensor] = []
        for level in self.levels:
            found.append(level(F.max_pool2d(found[-1], 2, ceil_mode=True) if found else inputs))
        return found


def fitting_levels(height: int, width: int, number: int) -> int:
    """Return how many of `number` levels of a `ConvEncoder` see more than one pixel; at least 1.

    Batch normalisation of a single pixel of a single image would have no variance.
    """
    for level in range(1, number):
        if -(-height // 2**level) * -(-width // 2**level) < 2:
            return level
    return number


def fitted(images: Tensor, size: Sequence[int]) -> Tensor:
    """Return images (batch, channels, height, width) cropped on the right and below to a size, or padded."""
    height, width = images.shape[2:]
    if (height, width) == tuple(size):
        return images
    return F.pad(images, (0, size[1] - width, 0, size[0] - height))
