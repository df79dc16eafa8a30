"""EfficientNet-Lite."""

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from firstlight.networks.image_size import has_small_stem
from firstlight.networks.initialisation import initialise
from firstlight.networks.layers import build_dropout, check_published, replace_normalisation
from firstlight.networks.network import Network, image_shape
from firstlight.networks.same_padding import SameConv2d
from firstlight.spec import DataSpec
from firstlight.transfer.imagenet import imagenet_labels
from firstlight.transfer.packaged_weights import lite0_weights
from firstlight.transfer.pretrained import Pretrained, unknown_weights

# Expansion, kernel size, output channels, number of blocks and first stride of each stage (table 1).
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


def _build_depthwise(channels: int, kernel: int, stride: int) -> nn.Conv2d:
    """Return a convolution that filters each channel separately."""
    if stride == 1:  # the padding is symmetric, so that no padded copy is needed
        return nn.Conv2d(channels, channels, kernel, padding=kernel // 2, groups=channels, bias=False)
    return SameConv2d(channels, channels, kernel, stride, groups=channels, bias=False)


def _build_norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)  # the epsilon of TensorFlow, which trained the weights


class DepthwiseSeparable(nn.Module):
    """A depthwise convolution, then a 1x1 convolution without activation: an inverted residual block of expansion 1.

    Args:
        in_channels: input channels.
        out_channels: output channels, another number than `in_channels`.
        kernel: height and width of the depthwise kernels.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int) -> None:
        super().__init__()
        self.conv_dw = _build_depthwise(in_channels, kernel, stride=1)
        self.bn1 = _build_norm(in_channels)
        self.conv_pw = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.bn2 = _build_norm(out_channels)
        self.activation = nn.ReLU6(inplace=True)

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, in_channels, height, width) -> (batch, out_channels, height, width)."""
        hidden = self.activation(self.bn1(self.conv_dw(inputs)))
        return self.bn2(self.conv_pw(hidden))


# MobileNet has a block of the same form. Two classes are simpler than one, because parameters are named as in
# torchvision there and as in timm here, and because padding and the epsilon of batch normalisation differ.
class InvertedResidual(nn.Module):
    """A 1x1 convolution that adds channels, a depthwise convolution, and a 1x1 convolution that reduces the channels
    and has no activation. The input is added if its shape is that of the output.

    Args:
        in_channels: input channels.
        out_channels: output channels.
        expansion: channels of the depthwise convolution, as a multiple of the input channels.
        kernel: height and width of the depthwise kernels.
        stride: stride of the depthwise convolution.
    """

    def __init__(self, in_channels: int, out_channels: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        hidden_channels = in_channels * expansion
        self.adds = stride == 1 and in_channels == out_channels
        self.conv_pw = nn.Conv2d(in_channels, hidden_channels, 1, bias=False)
        self.bn1 = _build_norm(hidden_channels)
        self.conv_dw = _build_depthwise(hidden_channels, kernel, stride)
        self.bn2 = _build_norm(hidden_channels)
        self.conv_pwl = nn.Conv2d(hidden_channels, out_channels, 1, bias=False)
        self.bn3 = _build_norm(out_channels)
        self.activation = nn.ReLU6(inplace=True)

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, in_channels, height, width) -> (batch, out_channels, ceil(height / stride), ceil(width / stride))."""
        hidden = self.activation(self.bn1(self.conv_pw(inputs)))
        hidden = self.activation(self.bn2(self.conv_dw(hidden)))
        outputs = self.bn3(self.conv_pwl(hidden))
        return inputs + outputs if self.adds else outputs


class EfficientNetLite(Network):
    """EfficientNet-Lite0: EfficientNet-B0 without squeeze-and-excitation and with ReLU6, for small devices.

    Source: Tan & Le 2019, "EfficientNet: rethinking model scaling for convolutional neural networks", table 1.
    Google released the "lite" variant in 2020. It has 4,652,008 parameters on 3x224x224 with 1000 classes. The
    parameters are named as in timm's tf_efficientnet_lite0. The small stem and the second stage after it have stride 1
    instead of 2.

    Args:
        spec: spec of the data; images of at least 16x16.
        dropout: probability that a unit before the linear layer is dropped in training.
        stem: imagenet, small, or auto, which selects small for images of at most 64 pixels.
        normalisation: name of the normalisation instead of batch normalisation, see `layers.build_normalisation`.
        initialisation: name of the initialisation, see `initialisation.INITIALISATIONS`; None selects `he`.

    Raises:
        ValueError: the images are too small, the dropout is out of range, or a stem, normalisation or initialisation is
            unknown.
    """

    accepts: ClassVar[str] = "images"
    min_size: ClassVar[int] = 16

    def __init__(
        self,
        spec: DataSpec,
        *,
        dropout: float = 0.2,
        normalisation: str = "batch",
        stem: str = "auto",
        initialisation: str | None = None,
    ) -> None:
        super().__init__()
        channels, _, _ = image_shape(self, spec)
        small = has_small_stem(spec, stem)
        self.conv_stem = SameConv2d(channels, 32, 3, stride=1 if small else 2, bias=False)
        self.bn1 = _build_norm(32)
        in_channels, stages = 32, []
        for number, (expansion, kernel, out_channels, num_blocks, first_stride) in enumerate(_STAGES):
            blocks: list[nn.Module] = []
            for block in range(num_blocks):
                stride = 1 if block > 0 or (small and number == 1) else first_stride
                if expansion == 1:
                    blocks.append(DepthwiseSeparable(in_channels, out_channels, kernel))
                else:
                    blocks.append(InvertedResidual(in_channels, out_channels, expansion, kernel, stride))
                in_channels = out_channels
            stages.append(nn.Sequential(*blocks))
        self.blocks = nn.Sequential(*stages)
        self.conv_head = nn.Conv2d(in_channels, 1280, 1, bias=False)
        self.bn2 = _build_norm(1280)
        self.activation = nn.ReLU6(inplace=True)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.dropout = build_dropout(dropout)
        self.classifier = nn.Linear(1280, spec.num_outputs)
        replace_normalisation(self, normalisation)
        initialise(self, initialisation or "he")

    @classmethod
    def pretrained(cls, weights: str, /, normalisation: str = "batch", **_: Any) -> Pretrained:
        """Return Google's ImageNet weights, which a package of the extra `pretrained` contains.

        Raises:
            ValueError: the name of the weights is unknown, or the network has another normalisation.
        """
        check_published(normalisation)
        if weights not in ("default", _WEIGHTS):
            raise unknown_weights(weights, ["default", _WEIGHTS])

        def load() -> dict[str, Tensor]:
            with torch.device("meta"):  # only the names and shapes are needed
                network = cls(pretrained.spec())
            return lite0_weights(network.state_dict(), _WEIGHTS)

        half = (0.5, 0.5, 0.5)
        pretrained = Pretrained(_WEIGHTS, load, imagenet_labels(), 224, half, half, "bicubic", crop=0.875)
        return pretrained

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, num_outputs)."""
        features = self.blocks(self.activation(self.bn1(self.conv_stem(inputs))))
        features = self.activation(self.bn2(self.conv_head(features)))
        return self.classifier(self.dropout(self.avgpool(features).flatten(1)))
