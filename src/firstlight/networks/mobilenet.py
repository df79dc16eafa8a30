"""MobileNetV2."""

from typing import Any, ClassVar

from torch import Tensor, nn

from firstlight.networks.image_size import has_small_stem, image_shape
from firstlight.networks.initialisation import initialise
from firstlight.networks.layers import build_dropout, replace_activations
from firstlight.spec import DataSpec
from firstlight.transfer.pretrained import Pretrained
from firstlight.transfer.torchvision_weights import from_torchvision

# Expansion, maps, blocks and first stride of each stage (table 2).
_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def _convolution(num_inputs: int, num_outputs: int, size: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """A convolution that keeps height and width at stride 1, batch normalisation, and ReLU6."""
    return nn.Sequential(
        nn.Conv2d(num_inputs, num_outputs, size, stride, padding=size // 2, groups=groups, bias=False),
        nn.BatchNorm2d(num_outputs),
        nn.ReLU6(inplace=True),
    )


class InvertedResidual(nn.Module):
    """Widen, filter each map on its own, narrow without an activation; added to what went in, where shapes allow.

    Args:
        num_inputs: maps that go in.
        num_outputs: maps that come out.
        expansion: how many times as many maps there are between.
        stride: of the filtering.
    """

    def __init__(self, num_inputs: int, num_outputs: int, expansion: int, stride: int) -> None:
        super().__init__()
        num_hidden = num_inputs * expansion
        self.adds = stride == 1 and num_inputs == num_outputs
        self.conv = nn.Sequential(
            *([_convolution(num_inputs, num_hidden, 1)] if expansion > 1 else []),
            _convolution(num_hidden, num_hidden, 3, stride, groups=num_hidden),
            nn.Conv2d(num_hidden, num_outputs, 1, bias=False),
            nn.BatchNorm2d(num_outputs),
        )

    def forward(self, maps: Tensor) -> Tensor:
        """(batch, num_inputs, height, width) -> (batch, num_outputs, height / stride, width / stride)."""
        return maps + self.conv(maps) if self.adds else self.conv(maps)


class MobileNet(nn.Module):
    """MobileNetV2: inverted residuals with linear bottlenecks, for few parameters and few operations.

    Source: Sandler, Howard, Zhu, Zhmoginov & Chen 2018, "MobileNetV2: inverted residuals and linear bottlenecks",
    section 4 and table 2. 3,504,872 parameters on 3x224x224 with 1000 classes; parameters are named as in torchvision.
    The small stem, and the second stage with it, has stride 1 instead of 2.

    Args:
        spec: of images of 16x16 or more.
        dropout: probability that a unit before the dense layer is dropped in training.
        activation: by name; None for the paper's ReLU6.
        stem: imagenet or small; auto is small up to 64 pixels.
        initialisation: of the weights, by name; None for He's.

    Raises:
        ValueError: smaller images, a probability outside 0 to 1, or an unknown activation, stem or initialisation.
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
        initialisation: str | None = None,
    ) -> None:
        super().__init__()
        channels, _, _ = image_shape(self, spec)
        small = has_small_stem(spec, stem)
        layers: list[nn.Module] = [_convolution(channels, 32, 3, stride=1 if small else 2)]
        num_inputs = 32
        for number, (expansion, num_outputs, num_blocks, first_stride) in enumerate(_STAGES):
            for block in range(num_blocks):
                stride = 1 if block > 0 or (small and number == 1) else first_stride
                layers.append(InvertedResidual(num_inputs, num_outputs, expansion, stride))
                num_inputs = num_outputs
        layers.append(_convolution(num_inputs, 1280, 1))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(build_dropout(dropout), nn.Linear(1280, spec.num_outputs))
        if activation is not None:
            replace_activations(self, activation)
        initialise(self, initialisation or "he")

    @classmethod
    def pretrained(cls, weights: str, **_: Any) -> Pretrained:
        """torchvision's weights."""
        return from_torchvision("mobilenet_v2", weights)

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, num_outputs)."""
        return self.classifier(self.avgpool(self.features(inputs)).flatten(1))
