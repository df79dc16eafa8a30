"""Residual networks."""

from typing import Any, ClassVar

from torch import Tensor, nn

from firstlight.checks import check_range, choose
from firstlight.networks.image_size import has_small_stem
from firstlight.networks.initialisation import initialise
from firstlight.networks.layers import build_activation, build_dropout, check_published, replace_normalisation
from firstlight.networks.network import Network, image_shape
from firstlight.spec import DataSpec
from firstlight.transfer.pretrained import Pretrained
from firstlight.transfer.torchvision_weights import from_torchvision

# Number of blocks in each of the four stages, by depth (table 1).
_BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
_DEPTHS = [str(depth) for depth in _BLOCKS]


class BasicBlock(nn.Module):
    """Two 3x3 convolutions whose output is added to the input of the block (figure 5, left).

    Args:
        in_channels: input channels.
        width: channels of both convolutions, and output channels.
        stride: stride of the first convolution.
        activation: name of the activation, see `layers.ACTIVATIONS`.
    """

    expansion: ClassVar[int] = 1

    def __init__(self, in_channels: int, width: int, stride: int, activation: str) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _build_shortcut(in_channels, width, stride)
        self.activation = build_activation(activation, inplace=True)

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, in_channels, height, width) -> (batch, width, height / stride, width / stride)."""
        residual = self.activation(self.bn1(self.conv1(inputs)))
        residual = self.bn2(self.conv2(residual))
        return self.activation(residual + self.downsample(inputs))


class Bottleneck(nn.Module):
    """A 3x3 convolution between two 1x1 convolutions that reduce and restore the channels, added to the input of the
    block (figure 5, right).

    The 3x3 convolution has the stride, as in torchvision; in the paper the first convolution has it.

    Args:
        in_channels: input channels.
        width: channels of the 3x3 convolution; the block has four times as many output channels.
        stride: stride of the 3x3 convolution.
        activation: name of the activation, see `layers.ACTIVATIONS`.
    """

    expansion: ClassVar[int] = 4

    def __init__(self, in_channels: int, width: int, stride: int, activation: str) -> None:
        super().__init__()
        out_channels = width * self.expansion
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.downsample = _build_shortcut(in_channels, out_channels, stride)
        self.activation = build_activation(activation, inplace=True)

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, in_channels, height, width) -> (batch, 4 width, height / stride, width / stride)."""
        residual = self.activation(self.bn1(self.conv1(inputs)))
        residual = self.activation(self.bn2(self.conv2(residual)))
        residual = self.bn3(self.conv3(residual))
        return self.activation(residual + self.downsample(inputs))


def _build_shortcut(in_channels: int, out_channels: int, stride: int) -> nn.Module:
    """Return the identity, or a projection if the block changes channels or size (option B of section 3.3)."""
    if stride == 1 and in_channels == out_channels:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels))


class ResNet(Network):
    """ResNet: four stages of residual blocks; each after the first halves height and width and doubles the channels.

    Source: He, Zhang, Ren & Sun 2016, "Deep residual learning for image recognition", section 3.3 and table 1. On
    3x224x224 with 1000 classes it has 11,689,512 parameters at depth 18, 21,797,672 at 34 and 25,557,032 at 50. The
    parameters are named as in torchvision. The small stem is that of section 4.2, for CIFAR-10: a 3x3
    convolution of stride 1 and no pooling.

    Args:
        spec: spec of the data; images of at least 16x16.
        depth: number of layers with weights: 18 or 34 with basic blocks; 50, 101 or 152 with bottlenecks.
        base_channels: channels of the first stage, 64 in the paper; the next stages have two, four and eight times as
            many.
        activation: name of the activation, see `layers.ACTIVATIONS`.
        dropout: probability that a unit before the linear layer is dropped in training; 0 in the paper.
        stem: imagenet, small, or auto, which selects small for images of at most 64 pixels.
        normalisation: name of the normalisation instead of batch normalisation, see `layers.build_normalisation`.
        initialisation: name of the initialisation, see `initialisation.INITIALISATIONS`; None selects `he`, as in the
            paper.

    Raises:
        ValueError: the images are too small, base_channels is below 1, or the depth, activation, stem or
            initialisation or normalisation is unknown, or the dropout is out of range.
    """

    accepts: ClassVar[str] = "images"
    min_size: ClassVar[int] = 16

    def __init__(
        self,
        spec: DataSpec,
        *,
        depth: int = 18,
        base_channels: int = 64,
        activation: str = "relu",
        dropout: float = 0.0,
        stem: str = "auto",
        normalisation: str = "batch",
        initialisation: str | None = None,
    ) -> None:
        super().__init__()
        choose("depth", str(depth), _DEPTHS, "depth")
        check_range("base_channels", base_channels, at_least=1)
        channels, _, _ = image_shape(self, spec)
        block = Bottleneck if depth >= 50 else BasicBlock

        def build_stage(in_channels: int, width: int, number: int, stride: int) -> nn.Sequential:
            first = block(in_channels, width, stride, activation)
            rest = (block(width * block.expansion, width, 1, activation) for _ in range(number - 1))
            return nn.Sequential(first, *rest)

        if has_small_stem(spec, stem):
            self.conv1 = nn.Conv2d(channels, base_channels, 3, padding=1, bias=False)
            self.maxpool: nn.Module = nn.Identity()
        else:
            self.conv1 = nn.Conv2d(channels, base_channels, 7, stride=2, padding=3, bias=False)
            self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.bn1 = nn.BatchNorm2d(base_channels)
        self.activation = build_activation(activation, inplace=True)
        stage_channels = [base_channels * 2**number for number in range(4)]
        channels_between = (base_channels, *(width * block.expansion for width in stage_channels))
        self.layer1 = build_stage(channels_between[0], stage_channels[0], _BLOCKS[depth][0], stride=1)
        self.layer2 = build_stage(channels_between[1], stage_channels[1], _BLOCKS[depth][1], stride=2)
        self.layer3 = build_stage(channels_between[2], stage_channels[2], _BLOCKS[depth][2], stride=2)
        self.layer4 = build_stage(channels_between[3], stage_channels[3], _BLOCKS[depth][3], stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.dropout = build_dropout(dropout)
        self.fc = nn.Linear(channels_between[4], spec.num_outputs)
        replace_normalisation(self, normalisation)
        initialise(self, initialisation or "he")

    @classmethod
    def pretrained(cls, weights: str, /, *, depth: int = 18, normalisation: str = "batch", **_: Any) -> Pretrained:
        """Return torchvision's weights of this name.

        Raises:
            ValueError: the depth or the name of the weights is unknown, or the network has another normalisation.
        """
        check_published(normalisation)
        choose("depth", str(depth), _DEPTHS, "depth")
        return from_torchvision(f"resnet{depth}", weights)

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, num_outputs)."""
        features = self.maxpool(self.activation(self.bn1(self.conv1(inputs))))
        features = self.layer4(self.layer3(self.layer2(self.layer1(features))))
        return self.fc(self.dropout(self.avgpool(features).flatten(1)))
