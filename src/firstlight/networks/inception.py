"""The inception block, and a small network of inception blocks."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from firstlight.networks.image_size import fitting_poolings
from firstlight.networks.initialisation import initialise
from firstlight.networks.layers import build_dropout, replace_activations, replace_normalisation
from firstlight.networks.network import Network, image_shape
from firstlight.spec import DataSpec


class Convolution(nn.Module):
    """A convolution, batch normalisation and ReLU. Stride 1 keeps height and width.

    Args:
        in_channels: input channels.
        out_channels: output channels.
        size: height and width of the kernel.
        stride: stride of the convolution.
    """

    def __init__(self, in_channels: int, out_channels: int, size: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, size, stride, padding=size // 2, bias=False)
        self.bn = nn.BatchNorm2d(out_channels, eps=0.001)
        self.activation = nn.ReLU(inplace=True)

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, in_channels, height, width) -> (batch, out_channels, height / stride, width / stride)."""
        return self.activation(self.bn(self.conv(inputs)))


class InceptionBlock(nn.Module):
    """Parallel branches of 1x1, 3x3 and 5x5 convolutions and a pooling, concatenated along the channels.

    Source: Szegedy et al. 2015, "Going deeper with convolutions", section 4 and figure 2 (b), with batch
    normalisation (Ioffe & Szegedy 2015).

    Args:
        in_channels: input channels.
        ones: output channels of the 1x1 convolution.
        threes: input and output channels of the 3x3 convolution.
        fives: input and output channels of the 5x5 convolution.
        pooled: output channels of the 1x1 convolution after the pooling.
        five: height and width of the largest kernel.
    """

    def __init__(
        self, in_channels: int, ones: int, threes: tuple[int, int], fives: tuple[int, int], pooled: int, five: int = 5
    ) -> None:
        super().__init__()
        self.branch1 = Convolution(in_channels, ones, 1)
        self.branch2 = nn.Sequential(Convolution(in_channels, threes[0], 1), Convolution(*threes, 3))
        self.branch3 = nn.Sequential(Convolution(in_channels, fives[0], 1), Convolution(*fives, five))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), Convolution(in_channels, pooled, 1))

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, in_channels, height, width) -> (batch, sum of the branches' output channels, height, width)."""
        branches = (self.branch1, self.branch2, self.branch3, self.branch4)
        return torch.cat([branch(inputs) for branch in branches], dim=1)


class Inception(Network):
    """A 3x3 convolution and a few inception blocks with poolings between them, for small images.

    The branches divide a block's channels as in block 3a of GoogLeNet (Szegedy et al. 2015, table 1): a quarter for
    1x1, half for 3x3, an eighth each for 5x5 and for the pooling.

    Args:
        spec: spec of the data; images of at least 8x8.
        channels: output channels of each block, multiples of 16. Poolings that would leave a single pixel are omitted.
        dropout: probability that a unit before the linear layer is dropped in training.
        activation: name of the activation, see `layers.ACTIVATIONS`.
        normalisation: name of the normalisation instead of batch normalisation, see `layers.build_normalisation`.
        initialisation: name of the initialisation, see `initialisation.INITIALISATIONS`; None selects `he`.

    Raises:
        ValueError: the images are too small, `channels` is empty or holds a number that is not a multiple of 16, the
            dropout is out of range, or an activation, normalisation or initialisation is
            unknown.
    """

    accepts: ClassVar[str] = "images"
    min_size: ClassVar[int] = 8

    def __init__(
        self,
        spec: DataSpec,
        *,
        channels: Sequence[int] = (64, 128, 256),
        dropout: float = 0.2,
        activation: str = "relu",
        normalisation: str = "batch",
        initialisation: str | None = None,
    ) -> None:
        super().__init__()
        if not channels or any(width < 16 or width % 16 for width in channels):
            raise ValueError(f"channels={list(channels)}: must be one or more multiples of 16.")
        image_channels, height, width = image_shape(self, spec)
        layers: list[nn.Module] = [Convolution(image_channels, channels[0], 3)]
        in_channels = channels[0]
        pooled = [False, *fitting_poolings(min(height, width), len(channels))]
        for out_channels, pools in zip(channels, pooled, strict=False):
            if pools:
                layers.append(nn.MaxPool2d(2))
            ones, eighth = out_channels // 4, out_channels // 8
            threes, fives = (out_channels * 3 // 8, out_channels // 2), (out_channels // 16, eighth)
            layers.append(InceptionBlock(in_channels, ones, threes, fives, pooled=eighth))
            in_channels = out_channels
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(build_dropout(dropout), nn.Linear(in_channels, spec.num_outputs))
        replace_activations(self, activation)
        replace_normalisation(self, normalisation)
        initialise(self, initialisation or "he")

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, num_outputs)."""
        return self.classifier(self.avgpool(self.features(inputs)).flatten(1))
