"""GoogLeNet."""

from dataclasses import replace
from typing import Any, ClassVar

from torch import nn

from firstlight.networks.image_size import has_small_stem, image_shape
from firstlight.networks.inception import Convolution, InceptionBlock
from firstlight.networks.initialisation import initialise
from firstlight.networks.layers import build_dropout, replace_activations
from firstlight.spec import DataSpec
from firstlight.transfer.pretrained import Pretrained
from firstlight.transfer.torchvision_weights import from_torchvision


class GoogLeNet(nn.Sequential):
    """Three convolutions and nine inception blocks: (batch, channels, height, width) -> (batch, num_outputs).

    Source: Szegedy et al. 2015, "Going deeper with convolutions", section 5 and table 1, with batch normalisation
    instead of the auxiliary classifiers, and 3x3 for 5x5, as the weights that torchvision publishes have it.
    6,624,904 parameters on 3x224x224 with 1000 classes; parameters are named as in torchvision. The small stem begins
    with 3x3 at stride 1 instead of 7x7 at stride 2, and without the first pooling.

    Args:
        spec: of images of 16x16 or more.
        dropout: probability that a unit before the dense layer is dropped in training; the paper's is 0.4.
        activation: by name.
        stem: imagenet or small; auto is small up to 64 pixels.
        initialisation: of the weights, by name; None for He's.

    Raises:
        ValueError: smaller images, a probability outside 0 to 1, or an unknown activation, stem or initialisation.
    """

    accepts: ClassVar[str] = "images"
    min_size: ClassVar[int] = 16
    unused_prefixes: ClassVar[tuple[str, ...]] = ("aux1.", "aux2.")  # classifiers that only their training needed

    def __init__(
        self,
        spec: DataSpec,
        *,
        dropout: float = 0.2,
        activation: str = "relu",
        stem: str = "auto",
        initialisation: str | None = None,
    ) -> None:
        super().__init__()
        channels, _, _ = image_shape(self, spec)
        small = has_small_stem(spec, stem)

        def pool(size: int = 3) -> nn.MaxPool2d:
            return nn.MaxPool2d(size, stride=2, ceil_mode=True)

        # In the order of the way through: forward is that of nn.Sequential.
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
        initialise(self, initialisation or "he")

    @classmethod
    def pretrained(cls, weights: str, **_: Any) -> Pretrained:
        """torchvision's weights, which come from TensorFlow and want pixels from -1 to 1."""
        return replace(from_torchvision("googlenet", weights), mean=(0.5,) * 3, std=(0.5,) * 3)
