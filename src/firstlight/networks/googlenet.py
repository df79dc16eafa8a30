"""GoogLeNet."""

from dataclasses import replace
from typing import Any, ClassVar

from torch import nn

from firstlight.networks.image_size import has_small_stem
from firstlight.networks.inception import Convolution, InceptionBlock
from firstlight.networks.initialisation import initialise
from firstlight.networks.layers import build_dropout, check_published, replace_activations, replace_normalisation
from firstlight.networks.network import Network, image_shape
from firstlight.spec import DataSpec
from firstlight.transfer.pretrained import Pretrained
from firstlight.transfer.torchvision_weights import from_torchvision


class GoogLeNet(nn.Sequential, Network):
    """GoogLeNet: three convolutions and nine inception blocks.

    Shapes: (batch, channels, height, width) -> (batch, num_outputs).

    Source: Szegedy et al. 2015, "Going deeper with convolutions", section 5 and table 1, with batch normalisation
    instead of the auxiliary classifiers, and 3x3 kernels instead of 5x5, as in the weights that torchvision publishes.
    It has 6,624,904 parameters on 3x224x224 with 1000 classes. The parameters are named as in torchvision. The small
    stem starts with a 3x3 convolution of stride 1 instead of 7x7 of stride 2, and omits the first pooling.

    Args:
        spec: spec of the data; images of at least 16x16.
        dropout: probability that a unit before the linear layer is dropped in training; 0.4 in the paper.
        activation: name of the activation, see `layers.ACTIVATIONS`.
        stem: imagenet, small, or auto, which selects small for images of at most 64 pixels.
        normalisation: name of the normalisation instead of batch normalisation, see `layers.build_normalisation`.
        initialisation: name of the initialisation, see `initialisation.INITIALISATIONS`; None selects `he`.

    Raises:
        ValueError: the images are too small, the dropout is out of range, or an activation, stem,
            normalisation or initialisation is unknown.
    """

    accepts: ClassVar[str] = "images"
    min_size: ClassVar[int] = 16
    unused_prefixes: ClassVar[tuple[str, ...]] = ("aux1.", "aux2.")  # auxiliary classifiers, used in training only

    def __init__(
        self,
        spec: DataSpec,
        *,
        dropout: float = 0.2,
        activation: str = "relu",
        stem: str = "auto",
        normalisation: str = "batch",
        initialisation: str | None = None,
    ) -> None:
        super().__init__()
        channels, _, _ = image_shape(self, spec)
        small = has_small_stem(spec, stem)

        def pool(size: int = 3) -> nn.MaxPool2d:
            return nn.MaxPool2d(size, stride=2, ceil_mode=True)

        # The layers are in the order of the forward pass, which nn.Sequential runs.
        self.conv1 = Convolution(channels, 64, 3) if small else Convolution(channels, 64, 7, stride=2)
        self.maxpool1 = nn.Identity() if small else pool()
        self.conv2 = Convolution(64, 64, 1)
        self.conv3 = Convolution(64, 192, 3)
        self.maxpool2 = pool()
        self.inception3a = InceptionBlock(192, 64, (96, 128), (16, 32), 32, five=3)
        self.inception3b = InceptionBlock(256, 128, (128, 192), (32, 96), 64, five=3)
        self.maxpool3 = pool()
        self.inception4a = InceptionBlock(480, 192, (96, 208), (16, 48), 64, five=3)
        self.inception4b = InceptionBlock(512, 160, (112, 224), (24, 64), 64, five=3)
        self.inception4c = InceptionBlock(512, 128, (128, 256), (24, 64), 64, five=3)
        self.inception4d = InceptionBlock(512, 112, (144, 288), (32, 64), 64, five=3)
        self.inception4e = InceptionBlock(528, 256, (160, 320), (32, 128), 128, five=3)
        self.maxpool4 = pool(2)
        self.inception5a = InceptionBlock(832, 256, (160, 320), (32, 128), 128, five=3)
        self.inception5b = InceptionBlock(832, 384, (192, 384), (48, 128), 128, five=3)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.dropout = build_dropout(dropout)
        self.fc = nn.Linear(1024, spec.num_outputs)
        replace_activations(self, activation)
        replace_normalisation(self, normalisation)
        initialise(self, initialisation or "he")

    @classmethod
    def pretrained(cls, weights: str, /, normalisation: str = "batch", **_: Any) -> Pretrained:
        """Return torchvision's weights, which come from TensorFlow and expect pixels from -1 to 1.

        Raises:
            ValueError: the name of the weights is unknown, or the network has another normalisation.
        """
        check_published(normalisation)
        return replace(from_torchvision("googlenet", weights), mean=(0.5,) * 3, std=(0.5,) * 3)
