"""AlexNet."""

import math
from typing import Any, ClassVar

from torch import Tensor, nn

from firstlight.networks.image_size import has_small_stem
from firstlight.networks.initialisation import initialise
from firstlight.networks.layers import build_activation, build_dropout, build_normalisation, check_published
from firstlight.networks.network import Network, image_shape
from firstlight.spec import DataSpec
from firstlight.transfer.pretrained import Pretrained
from firstlight.transfer.torchvision_weights import from_torchvision


class AlexNet(Network):
    """AlexNet: five convolutions with three poolings, then three linear layers.

    Source: Krizhevsky, Sutskever & Hinton 2012, "ImageNet classification with deep convolutional neural networks",
    in the one-column form of Krizhevsky 2014, "One weird trick for parallelizing convolutional neural networks",
    without response normalisation. It has 61,100,840 parameters on 3x224x224 with 1000 classes. The parameters are
    named as in torchvision. The small stem starts with a 3x3 convolution of stride 2 instead of 11x11 of stride 4. Its
    linear layers take the whole feature map, which has a sixteenth of the image's height and width.

    Args:
        spec: spec of the data; images of at least 16x16.
        activation: name of the activation, see `layers.ACTIVATIONS`.
        normalisation: name of the normalisation after each convolution, see `layers.build_normalisation`.
        dropout: probability that a unit before a hidden linear layer is dropped in training.
        stem: imagenet, small, or auto, which selects small for images of at most 64 pixels.
        initialisation: name of the initialisation, see `initialisation.INITIALISATIONS`; None selects `he`.

    Raises:
        ValueError: the images are too small, the dropout is out of range, or an activation, normalisation, stem or
            initialisation is unknown.
    """

    accepts: ClassVar[str] = "images"
    min_size: ClassVar[int] = 16

    def __init__(
        self,
        spec: DataSpec,
        *,
        activation: str = "relu",
        normalisation: str = "none",
        dropout: float = 0.5,
        stem: str = "auto",
        initialisation: str | None = None,
    ) -> None:
        super().__init__()
        channels, height, width = image_shape(self, spec)
        small = has_small_stem(spec, stem)

        def activate() -> nn.Module:
            return build_activation(activation, inplace=True)

        def normalise(num_channels: int) -> list[nn.Module]:
            return build_normalisation(normalisation, num_channels, of_images=True)

        def pool() -> nn.Module:
            return nn.MaxPool2d(3, stride=2, padding=1 if small else 0)

        self.features = nn.Sequential(
            nn.Conv2d(channels, 64, 3, stride=2, padding=1) if small else nn.Conv2d(channels, 64, 11, 4, padding=2),
            *normalise(64),
            activate(),
            pool(),
            nn.Conv2d(64, 192, 5, padding=2),
            *normalise(192),
            activate(),
            pool(),
            nn.Conv2d(192, 384, 3, padding=1),
            *normalise(384),
            activate(),
            nn.Conv2d(384, 256, 3, padding=1),
            *normalise(256),
            activate(),
            nn.Conv2d(256, 256, 3, padding=1),
            *normalise(256),
            activate(),
            pool(),
        )
        rows, columns = (math.ceil(size / 16) if small else 6 for size in (height, width))
        self.avgpool = nn.Identity() if small else nn.AdaptiveAvgPool2d((rows, columns))
        self.classifier = nn.Sequential(
            build_dropout(dropout),
            nn.Linear(256 * rows * columns, 4096),
            activate(),
            build_dropout(dropout),
            nn.Linear(4096, 4096),
            activate(),
            nn.Linear(4096, spec.num_outputs),
        )
        initialise(self, initialisation or "he")

    @classmethod
    def pretrained(cls, weights: str, /, normalisation: str = "none", **_: Any) -> Pretrained:
        """Return torchvision's weights of this name.

        Raises:
            ValueError: the name is unknown, or the network has a normalisation.
        """
        check_published(normalisation, ("none",))
        return from_torchvision("alexnet", weights)

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, num_outputs)."""
        return self.classifier(self.avgpool(self.features(inputs)).flatten(1))
