"""MobileNetV2."""

from typing import Any, ClassVar

from torch import Tensor, nn

from firstlight.networks.image_size import has_small_stem
from firstlight.networks.initialisation import initialise
from firstlight.networks.layers import build_dropout, check_published, replace_activations, replace_normalisation
from firstlight.networks.network import Network, image_shape
from firstlight.spec import DataSpec
from firstlight.transfer.pretrained import Pretrained
from firstlight.transfer.torchvision_weights import from_torchvision

# Expansion, output channels, number of blocks and first stride of each stage (table 2).
_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def _build_convolution(
    in_channels: int, out_channels: int, size: int, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    """Return a convolution, batch normalisation and ReLU6. Stride 1 keeps height and width."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, size, stride, padding=size // 2, groups=groups, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU6(inplace=True),
    )


class InvertedResidual(nn.Module):
    """A 1x1 convolution that adds channels, a depthwise convolution, and a 1x1 convolution that reduces the channels
    and has no activation. The input is added if its shape is that of the output.

    Args:
        in_channels: input channels.
        out_channels: output channels.
        expansion: channels of the depthwise convolution, as a multiple of the input channels.
        stride: stride of the depthwise convolution.
    """

    def __init__(self, in_channels: int, out_channels: int, expansion: int, stride: int) -> None:
        super().__init__()
        hidden_channels = in_channels * expansion
        self.adds = stride == 1 and in_channels == out_channels
        self.conv = nn.Sequential(
            *([_build_convolution(in_channels, hidden_channels, 1)] if expansion > 1 else []),
            _build_convolution(hidden_channels, hidden_channels, 3, stride, groups=hidden_channels),
            nn.Conv2d(hidden_channels, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, in_channels, height, width) -> (batch, out_channels, height / stride, width / stride)."""
        return inputs + self.conv(inputs) if self.adds else self.conv(inputs)


class MobileNet(Network):
    """MobileNetV2: inverted residual blocks with linear bottlenecks, which need few parameters and few operations.

    Source: Sandler, Howard, Zhu, Zhmoginov & Chen 2018, "MobileNetV2: inverted residuals and linear bottlenecks",
    section 4 and table 2. It has 3,504,872 parameters on 3x224x224 with 1000 classes. The parameters are named as in
    torchvision. The small stem and the second stage after it have stride 1 instead of 2.

    Args:
        spec: spec of the data; images of at least 16x16.
        dropout: probability that a unit before the linear layer is dropped in training.
        activation: name of the activation, see `layers.ACTIVATIONS`; None keeps the ReLU6 of the paper.
        stem: imagenet, small, or auto, which selects small for images of at most 64 pixels.
        normalisation: name of the normalisation instead of batch normalisation, see `layers.build_normalisation`.
        initialisation: name of the initialisation, see `initialisation.INITIALISATIONS`; None selects `he`.

    Raises:
        ValueError: the images are too small, the dropout is out of range, or an activation, stem,
            normalisation or initialisation is unknown.
    """

    accepts: ClassVar[str] = "images"
    min_size: ClassVar[int] = 16

    def __init__(
        self,
        spec: DataSpec,
        *,
        dropout: float = 0.2,
        activation: str | None = None,
        stem: str = "auto",
        normalisation: str = "batch",
        initialisation: str | None = None,
    ) -> None:
        super().__init__()
        channels, _, _ = image_shape(self, spec)
        small = has_small_stem(spec, stem)
        layers: list[nn.Module] = [_build_convolution(channels, 32, 3, stride=1 if small else 2)]
        in_channels = 32
        for number, (expansion, out_channels, num_blocks, first_stride) in enumerate(_STAGES):
            for block in range(num_blocks):
                stride = 1 if block > 0 or (small and number == 1) else first_stride
                layers.append(InvertedResidual(in_channels, out_channels, expansion, stride))
                in_channels = out_channels
        layers.append(_build_convolution(in_channels, 1280, 1))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(build_dropout(dropout), nn.Linear(1280, spec.num_outputs))
        if activation is not None:
            replace_activations(self, activation)
        replace_normalisation(self, normalisation)
        initialise(self, initialisation or "he")

    @classmethod
    def pretrained(cls, weights: str, /, normalisation: str = "batch", **_: Any) -> Pretrained:
        """Return torchvision's weights of this name.

        Raises:
            ValueError: the name of the weights is unknown, or the network has another normalisation.
        """
        check_published(normalisation)
        return from_torchvision("mobilenet_v2", weights)

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, num_outputs)."""
        return self.classifier(self.avgpool(self.features(inputs)).flatten(1))
