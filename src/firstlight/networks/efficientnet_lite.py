"""EfficientNet-Lite."""

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from firstlight.networks.image_size import has_small_stem, image_shape
from firstlight.networks.initialisation import initialise
from firstlight.networks.layers import build_dropout
from firstlight.networks.same_padding import SameConv2d
from firstlight.spec import DataSpec
from firstlight.transfer.imagenet import imagenet_labels
from firstlight.transfer.packaged_weights import lite0_weights
from firstlight.transfer.pretrained import Pretrained, unknown_weights

# Expansion, kernel, maps, blocks and first stride of each stage (table 1; they are those of MnasNet, stretched).
_STAGES = (
    (1, 3, 16, 1, 1),
    (6, 3, 24, 2, 2),
    (6, 5, 40, 2, 2),
    (6, 3, 80, 3, 2),
    (6, 5, 112, 3, 1),
    (6, 5, 192, 4, 2),
    (6, 3, 320, 1, 1),
)
_WEIGHTS = "IMAGENET1K"


def _depthwise(num_maps: int, kernel: int, stride: int) -> nn.Conv2d:
    """A convolution of each map on its own."""
    if stride == 1:  # both sides are padded alike, and that needs no copy
        return nn.Conv2d(num_maps, num_maps, kernel, padding=kernel // 2, groups=num_maps, bias=False)
    return SameConv2d(num_maps, num_maps, kernel, stride, groups=num_maps, bias=False)


def _norm(num_maps: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(num_maps, eps=1e-3)  # as in TensorFlow, where the weights come from


class DepthwiseSeparable(nn.Module):
    """Filter each map on its own, then mix them without an activation: an inverted residual that widens nothing.

    Args:
        num_inputs: maps that go in.
        num_outputs: maps that come out; others in number than those that go in.
        kernel: height and width of the filters.
    """

    def __init__(self, num_inputs: int, num_outputs: int, kernel: int) -> None:
        super().__init__()
        self.conv_dw = _depthwise(num_inputs, kernel, stride=1)
        self.bn1 = _norm(num_inputs)
        self.conv_pw = nn.Conv2d(num_inputs, num_outputs, 1, bias=False)
        self.bn2 = _norm(num_outputs)
        self.activation = nn.ReLU6(inplace=True)

    def forward(self, maps: Tensor) -> Tensor:
        """(batch, num_inputs, height, width) -> (batch, num_outputs, height, width)."""
        maps = self.activation(self.bn1(self.conv_dw(maps)))
        return self.bn2(self.conv_pw(maps))


class InvertedResidual(nn.Module):
    """Widen, filter each map on its own, narrow without an activation; added to what went in, where shapes allow.

    Args:
        num_inputs: maps that go in.
        num_outputs: maps that come out.
        expansion: how many times as many maps there are between.
        kernel: height and width of the filters.
        stride: of the filtering.
    """

    def __init__(self, num_inputs: int, num_outputs: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        num_hidden = num_inputs * expansion
        self.adds = stride == 1 and num_inputs == num_outputs
        self.conv_pw = nn.Conv2d(num_inputs, num_hidden, 1, bias=False)
        self.bn1 = _norm(num_hidden)
        self.conv_dw = _depthwise(num_hidden, kernel, stride)
        self.bn2 = _norm(num_hidden)
        self.conv_pwl = nn.Conv2d(num_hidden, num_outputs, 1, bias=False)
        self.bn3 = _norm(num_outputs)
        self.activation = nn.ReLU6(inplace=True)

    def forward(self, maps: Tensor) -> Tensor:
        """(batch, num_inputs, height, width) -> (batch, num_outputs, ceil(height / stride), ceil(width / stride))."""
        hidden = self.activation(self.bn1(self.conv_pw(maps)))
        hidden = self.activation(self.bn2(self.conv_dw(hidden)))
        narrow = self.bn3(self.conv_pwl(hidden))
        return maps + narrow if self.adds else narrow


class EfficientNetLite(nn.Module):
    """EfficientNet-Lite0: EfficientNet-B0 without squeeze and excitation, and with ReLU6, for small devices.

    Source: Tan & Le 2019, "EfficientNet: rethinking model scaling for convolutional neural networks", table 1; what
    "lite" leaves out is Google's release of 2020. 4,652,008 parameters on 3x224x224 with 1000 classes; parameters are
    named as in timm's tf_efficientnet_lite0. The small stem, and the second stage with it, has stride 1 instead of 2.

    Args:
        spec: of images of 16x16 or more.
        dropout: probability that a unit before the dense layer is dropped in training.
        stem: imagenet or small; auto is small up to 64 pixels.
        initialisation: of the weights, by name; None for He's.

    Raises:
        ValueError: smaller images, a probability outside 0 to 1, or an unknown stem or initialisation.
    """

    accepts: ClassVar[str] = "images"
    min_size: ClassVar[int] = 16

    def __init__(
        self, spec: DataSpec, *, dropout: float = 0.2, stem: str = "auto", initialisation: str | None = None
    ) -> None:
        super().__init__()
        channels, _, _ = image_shape(self, spec)
        small = has_small_stem(spec, stem)
        self.conv_stem = SameConv2d(channels, 32, 3, stride=1 if small else 2, bias=False)
        self.bn1 = _norm(32)
        num_inputs, stages = 32, []
        for number, (expansion, kernel, num_outputs, num_blocks, first_stride) in enumerate(_STAGES):
            blocks: list[nn.Module] = []
            for block in range(num_blocks):
                stride = 1 if block > 0 or (small and number == 1) else first_stride
                if expansion == 1:
                    blocks.append(DepthwiseSeparable(num_inputs, num_outputs, kernel))
                else:
                    blocks.append(InvertedResidual(num_inputs, num_outputs, expansion, kernel, stride))
                num_inputs = num_outputs
            stages.append(nn.Sequential(*blocks))
        self.blocks = nn.Sequential(*stages)
        self.conv_head = nn.Conv2d(num_inputs, 1280, 1, bias=False)
        self.bn2 = _norm(1280)
        self.activation = nn.ReLU6(inplace=True)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.dropout = build_dropout(dropout)
        self.classifier = nn.Linear(1280, spec.num_outputs)
        initialise(self, initialisation or "he")

    @classmethod
    def pretrained(cls, weights: str, **_: Any) -> Pretrained:
        """Google's weights on ImageNet; a package brings them.

        Raises:
            ValueError: there are none of this name.
        """
        if weights not in ("default", _WEIGHTS):
            raise unknown_weights(weights, ["default", _WEIGHTS])

        def load() -> dict[str, Tensor]:
            with torch.device("meta"):  # no more than its names is asked for
                network = cls(facts.spec())
            return lite0_weights(network.state_dict(), _WEIGHTS)

        half = (0.5, 0.5, 0.5)
        facts = Pretrained(_WEIGHTS, load, imagenet_labels(), 224, half, half, "bicubic", crop=0.875)
        return facts

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, num_outputs)."""
        maps = self.blocks(self.activation(self.bn1(self.conv_stem(inputs))))
        maps = self.activation(self.bn2(self.conv_head(maps)))
        return self.classifier(self.dropout(self.avgpool(maps).flatten(1)))
