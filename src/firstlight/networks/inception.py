"""The inception block, and a small network of nothing else."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from firstlight.networks.image_size import fitting_poolings, image_shape
from firstlight.networks.initialisation import initialise
from firstlight.networks.layers import build_dropout, replace_activations
from firstlight.spec import DataSpec


class Convolution(nn.Module):
    """A convolution, batch normalisation and ReLU; it keeps height and width at stride 1.

    Args:
        num_inputs: maps that go in.
        num_outputs: maps that come out.
        size: height and width of the kernel.
        stride: pixels from one place of the kernel to the next.
    """

    def __init__(self, num_inputs: int, num_outputs: int, size: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(num_inputs, num_outputs, size, stride, padding=size // 2, bias=False)
        self.bn = nn.BatchNorm2d(num_outputs, eps=0.001)
        self.activation = nn.ReLU(inplace=True)

    def forward(self, maps: Tensor) -> Tensor:
        """(batch, num_inputs, height, width) -> (batch, num_outputs, height / stride, width / stride)."""
        return self.activation(self.bn(self.conv(maps)))


class InceptionBlock(nn.Module):
    """1x1, 3x3 and 5x5 convolutions and a pooling side by side; their maps are stacked.

    Source: Szegedy et al. 2015, "Going deeper with convolutions", section 4 and figure 2 (b), with batch
    normalisation (Ioffe & Szegedy 2015).

    Args:
        num_inputs: maps that go in.
        ones: maps of the 1x1 convolution.
        threes: maps before and of the 3x3 convolution.
        fives: maps before and of the 5x5 convolution.
        pooled: maps of the 1x1 convolution after the pooling.
        five: height and width of the largest kernel, where it is not 5.
    """

    def __init__(
        self, num_inputs: int, ones: int, threes: tuple[int, int], fives: tuple[int, int], pooled: int, five: int = 5
    ) -> None:
        super().__init__()
        self.branch1 = Convolution(num_inputs, ones, 1)
        self.branch2 = nn.Sequential(Convolution(num_inputs, threes[0], 1), Convolution(*threes, 3))
        self.branch3 = nn.Sequential(Convolution(num_inputs, fives[0], 1), Convolution(*fives, five))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), Convolution(num_inputs, pooled, 1))

    def forward(self, maps: Tensor) -> Tensor:
        """(batch, num_inputs, height, width) -> (batch, sum of all maps, height, width)."""
        return torch.cat([self.branch1(maps), self.branch2(maps), self.branch3(maps), self.branch4(maps)], dim=1)


class Inception(nn.Module):
    """A 3x3 convolution and a small stack of inception blocks with poolings between, for small images.

    The branches share a block's maps as in block 3a of GoogLeNet (Szegedy et al. 2015, table 1): a quarter to 1x1,
    half to 3x3, an eighth each to 5x5 and to the pooling.

    Args:
        spec: of images of 8x8 or more.
        channels: maps that each block gives, multiples of 16. Poolings that would leave a single pixel are left out.
        dropout: probability that a unit before the dense layer is dropped in training.
        activation: by name.
        initialisation: of the weights, by name; None for He's.

    Raises:
        ValueError: smaller images, no block or a width that the branches cannot share, a probability outside 0 to 1,
            or an unknown activation or initialisation.
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
        initialisation: str | None = None,
    ) -> None:
        super().__init__()
        if not channels or any(width < 16 or width % 16 for width in channels):
            raise ValueError(f"channels={list(channels)}: one block or more, each of a multiple of 16 maps.")
        in_channels, height, width = image_shape(self, spec)
        layers: list[nn.Module] = [Convolution(in_channels, channels[0], 3)]
        num_inputs = channels[0]
        for maps, pools in zip(channels, [False, *fitting_poolings(min(height, width), len(channels))], strict=False):
            if pools:
                layers.append(nn.MaxPool2d(2))
            shares = (maps // 4, (maps * 3 // 8, maps // 2), (maps // 16, maps // 8), maps // 8)
            layers.append(InceptionBlock(num_inputs, *shares))
            num_inputs = maps
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(build_dropout(dropout), nn.Linear(num_inputs, spec.num_outputs))
        replace_activations(self, activation)
        initialise(self, initialisation or "he")

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, num_outputs)."""
        return self.classifier(self.avgpool(self.features(inputs)).flatten(1))
