"""Residual networks."""

from typing import Any, ClassVar

from torch import Tensor, nn

from firstlight.networks.image_size import has_small_stem, image_shape
from firstlight.networks.initialisation import initialise
from firstlight.networks.layers import build_activation
from firstlight.spec import DataSpec
from firstlight.transfer.pretrained import Pretrained
from firstlight.transfer.torchvision_weights import from_torchvision

# Depth -> blocks in each of the four stages (table 1).
_BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


class BasicBlock(nn.Module):
    """Two 3x3 convolutions, whose outcome is added to what went in (figure 5, left).

    Args:
        num_inputs: maps that go in.
        width: maps of the convolutions, and maps that come out.
        stride: of the first convolution.
        activation: by name.
    """

    expansion: ClassVar[int] = 1

    def __init__(self, num_inputs: int, width: int, stride: int, activation: str) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(num_inputs, width, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _shortcut(num_inputs, width, stride)
        self.activation = build_activation(activation, inplace=True)

    def forward(self, maps: Tensor) -> Tensor:
        """(batch, num_inputs, height, width) -> (batch, width, height / stride, width / stride)."""
        residual = self.activation(self.bn1(self.conv1(maps)))
        residual = self.bn2(self.conv2(residual))
        return self.activation(residual + self.downsample(maps))


class Bottleneck(nn.Module):
    """A 3x3 convolution between 1x1 ones that narrow and widen, added to what went in (figure 5, right).

    The stride is the 3x3 convolution's, as the field has it; the paper's is the first one's.

    Args:
        num_inputs: maps that go in.
        width: maps of the 3x3 convolution; four times as many come out.
        stride: of the 3x3 convolution.
        activation: by name.
    """

    expansion: ClassVar[int] = 4

    def __init__(self, num_inputs: int, width: int, stride: int, activation: str) -> None:
        super().__init__()
        num_outputs = width * self.expansion
        self.conv1 = nn.Conv2d(num_inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, num_outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(num_outputs)
        self.downsample = _shortcut(num_inputs, num_outputs, stride)
        self.activation = build_activation(activation, inplace=True)

    def forward(self, maps: Tensor) -> Tensor:
        """(batch, num_inputs, height, width) -> (batch, 4 width, height / stride, width / stride)."""
        residual = self.activation(self.bn1(self.conv1(maps)))
        residual = self.activation(self.bn2(self.conv2(residual)))
        residual = self.bn3(self.conv3(residual))
        return self.activation(residual + self.downsample(maps))


def _shortcut(num_inputs: int, num_outputs: int, stride: int) -> nn.Module:
    """The maps as they are, or projected where a block changes their number or size (option B of section 3.3)."""
    if stride == 1 and num_inputs == num_outputs:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(num_inputs, num_outputs, 1, stride, bias=False), nn.BatchNorm2d(num_outputs))


class ResNet(nn.Module):
    """Four stages of blocks that learn what to add to their input; each stage halves the size and doubles the channels.

    Source: He, Zhang, Ren & Sun 2016, "Deep residual learning for image recognition", section 3.3 and table 1. On
    3x224x224 with 1000 classes 11,689,512 parameters at depth 18, 21,797,672 at 34 and 25,557,032 at 50; parameters
    are named as in torchvision. The small stem is the paper's for CIFAR (section 4.2): 3x3 at stride 1, no pooling.

    Args:
        spec: of images of 16x16 or more.
        depth: layers with weights: 18 or 34, of basic blocks; 50, 101 or 152, of bottlenecks.
        base_channels: maps of the first stage, 64 in the paper; the next ones have two, four and eight times as many.
        activation: by name.
        stem: imagenet or small; auto is small up to 64 pixels.
        initialisation: of the weights, by name; None for He's, as in the paper.

    Raises:
        ValueError: smaller images, a depth that the paper does not have, no channels, or an unknown activation, stem or
            initialisation.
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
        stem: str = "auto",
        initialisation: str | None = None,
    ) -> None:
        super().__init__()
        _check_depth(depth)
        if base_channels < 1:
            raise ValueError(f"base_channels={base_channels}: one map or more.")
        channels, _, _ = image_shape(self, spec)
        block = Bottleneck if depth >= 50 else BasicBlock

        def stage(num_inputs: int, width: int, number: int, stride: int) -> nn.Sequential:
            first = block(num_inputs, width, stride, activation)
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
        widths = [base_channels * 2**number for number in range(4)]
        inputs = (base_channels, *(maps * block.expansion for maps in widths))
        self.layer1 = stage(inputs[0], widths[0], _BLOCKS[depth][0], stride=1)
        self.layer2 = stage(inputs[1], widths[1], _BLOCKS[depth][1], stride=2)
        self.layer3 = stage(inputs[2], widths[2], _BLOCKS[depth][2], stride=2)
        self.layer4 = stage(inputs[3], widths[3], _BLOCKS[depth][3], stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(inputs[4], spec.num_outputs)
        initialise(self, initialisation or "he")

    @classmethod
    def pretrained(cls, weights: str, *, depth: int = 18, **_: Any) -> Pretrained:
        """torchvision's weights."""
        _check_depth(depth)
        return from_torchvision(f"resnet{depth}", weights)

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, num_outputs)."""
        maps = self.maxpool(self.activation(self.bn1(self.conv1(inputs))))
        maps = self.layer4(self.layer3(self.layer2(self.layer1(maps))))
        return self.fc(self.avgpool(maps).flatten(1))


def _check_depth(depth: int) -> None:
    if depth not in _BLOCKS:
        raise ValueError(f"depth={depth}: ResNet has {', '.join(map(str, _BLOCKS))} layers.")
