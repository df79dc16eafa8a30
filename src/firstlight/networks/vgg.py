"""VGG."""

from typing import Any, ClassVar

from torch import Tensor, nn

from firstlight.networks.image_size import fitting_poolings, has_small_stem, image_shape
from firstlight.networks.initialisation import initialise
from firstlight.networks.layers import build_activation, build_dropout
from firstlight.spec import DataSpec
from firstlight.transfer.pretrained import Pretrained
from firstlight.transfer.torchvision_weights import from_torchvision

# Depth -> convolutions before each of the five poolings (table 1: A, B, D, E).
_CONVOLUTIONS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
_WIDTHS = (64, 128, 256, 512, 512)


class VGG(nn.Module):
    """Nothing but 3x3 convolutions, a pooling after every few of them, and dense layers.

    Source: Simonyan & Zisserman 2015, "Very deep convolutional networks for large-scale image recognition",
    section 2.1 and table 1. On 3x224x224 with 1000 classes 132,863,336 parameters at depth 11, 133,047,848 at 13,
    138,357,544 at 16 and 143,667,240 at 19; parameters are named as in torchvision. The small stem leaves out the
    poolings that would leave a convolution a single pixel, and has one dense layer and batch normalisation, as the
    field has it on CIFAR.

    Args:
        spec: of images of 8x8 or more.
        depth: layers with weights: 11, 13, 16 or 19.
        batch_norm: normalise after every convolution (Ioffe & Szegedy 2015); None for the small stem alone.
        activation: by name.
        dropout: probability that a unit before a dense layer is dropped in training; not before ImageNet's first.
        stem: imagenet or small; auto is small up to 64 pixels.
        initialisation: of the weights, by name; None for He's, without which the deeper ones do not begin to learn.

    Raises:
        ValueError: smaller images, a depth that the paper does not have, a probability outside 0 to 1, or an unknown
            activation, stem or initialisation.
    """

    accepts: ClassVar[str] = "images"
    min_size: ClassVar[int] = 8

    def __init__(
        self,
        spec: DataSpec,
        *,
        depth: int = 16,
        batch_norm: bool | None = None,
        activation: str = "relu",
        dropout: float = 0.5,
        stem: str = "auto",
        initialisation: str | None = None,
    ) -> None:
        super().__init__()
        _check_depth(depth)
        num_maps, height, width = image_shape(self, spec)
        small = has_small_stem(spec, stem)
        if batch_norm is None:
            batch_norm = small

        def activate() -> nn.Module:
            return build_activation(activation, inplace=True)

        layers: list[nn.Module] = []
        pooled = fitting_poolings(min(height, width), len(_WIDTHS))
        for number, num_outputs, pools in zip(_CONVOLUTIONS[depth], _WIDTHS, pooled, strict=True):
            for _ in range(number):
                layers.append(nn.Conv2d(num_maps, num_outputs, 3, padding=1))
                layers += [nn.BatchNorm2d(num_outputs), activate()] if batch_norm else [activate()]
                num_maps = num_outputs
            if pools:
                layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1 if small else 7)
        if small:
            self.classifier = nn.Sequential(build_dropout(dropout), nn.Linear(512, spec.num_outputs))
        else:
            self.classifier = nn.Sequential(
                nn.Linear(512 * 7 * 7, 4096),
                activate(),
                build_dropout(dropout),
                nn.Linear(4096, 4096),
                activate(),
                build_dropout(dropout),
                nn.Linear(4096, spec.num_outputs),
            )
        initialise(self, initialisation or "he")

    @classmethod
    def pretrained(cls, weights: str, *, depth: int = 16, batch_norm: bool | None = None, **_: Any) -> Pretrained:
        """torchvision's weights."""
        _check_depth(depth)
        return from_torchvision(f"vgg{depth}_bn" if batch_norm else f"vgg{depth}", weights)

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, num_outputs)."""
        return self.classifier(self.avgpool(self.features(inputs)).flatten(1))


def _check_depth(depth: int) -> None:
    if depth not in _CONVOLUTIONS:
        raise ValueError(f"depth={depth}: VGG has {', '.join(map(str, _CONVOLUTIONS))} layers.")
