"""VGG."""

from typing import Any, ClassVar

from torch import Tensor, nn

from firstlight.checks import choose
from firstlight.networks.image_size import fitting_poolings, has_small_stem
from firstlight.networks.initialisation import initialise
from firstlight.networks.layers import build_activation, build_dropout, build_normalisation, check_published
from firstlight.networks.network import Network, image_shape
from firstlight.spec import DataSpec
from firstlight.transfer.pretrained import Pretrained
from firstlight.transfer.torchvision_weights import from_torchvision

# Number of convolutions before each of the five poolings, by depth (table 1: A, B, D, E).
_CONVOLUTIONS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
_DEPTHS = [str(depth) for depth in _CONVOLUTIONS]
_CHANNELS = (64, 128, 256, 512, 512)


class VGG(Network):
    """VGG: 3x3 convolutions in five groups, each followed by a pooling, then linear layers.

    Source: Simonyan & Zisserman 2015, "Very deep convolutional networks for large-scale image recognition",
    section 2.1 and table 1. On 3x224x224 with 1000 classes it has 132,863,336 parameters at depth 11, 133,047,848 at
    13, 138,357,544 at 16 and 143,667,240 at 19. The parameters are named as in torchvision. The small stem omits
    poolings after which a convolution would see a single pixel. It has one linear layer and batch normalisation, as
    is common on CIFAR.

    Args:
        spec: spec of the data; images of at least 8x8.
        depth: number of layers with weights: 11, 13, 16 or 19.
        batch_norm: whether batch normalisation follows every convolution (Ioffe & Szegedy 2015); None means only
            with the small stem.
        normalisation: name of the normalisation that follows every convolution, see `layers.build_normalisation`; None
            for what `batch_norm` says. Published weights have batch normalisation or none.
        activation: name of the activation, see `layers.ACTIVATIONS`.
        dropout: probability that a unit before a linear layer is dropped in training, except before the first of three.
        stem: imagenet, small, or auto, which selects small for images of at most 64 pixels.
        initialisation: name of the initialisation, see `initialisation.INITIALISATIONS`; None selects `he`, without
            which the deeper networks do not learn.

    Raises:
        ValueError: the images are too small, the dropout is out of range, or the depth, normalisation, activation, stem
            or initialisation is unknown.
    """

    accepts: ClassVar[str] = "images"
    min_size: ClassVar[int] = 8

    def __init__(
        self,
        spec: DataSpec,
        *,
        depth: int = 16,
        batch_norm: bool | None = None,
        normalisation: str | None = None,
        activation: str = "relu",
        dropout: float = 0.5,
        stem: str = "auto",
        initialisation: str | None = None,
    ) -> None:
        super().__init__()
        choose("depth", str(depth), _DEPTHS, "depth")
        in_channels, height, width = image_shape(self, spec)
        small = has_small_stem(spec, stem)
        if normalisation is None:
            normalisation = "batch" if (small if batch_norm is None else batch_norm) else "none"

        def activate() -> nn.Module:
            return build_activation(activation, inplace=True)

        layers: list[nn.Module] = []
        pooled = fitting_poolings(min(height, width), len(_CHANNELS))
        for number, out_channels, pools in zip(_CONVOLUTIONS[depth], _CHANNELS, pooled, strict=True):
            for _ in range(number):
                layers.append(nn.Conv2d(in_channels, out_channels, 3, padding=1))
                layers += [*build_normalisation(normalisation, out_channels, of_images=True), activate()]
                in_channels = out_channels
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
    def pretrained(
        cls,
        weights: str,
        /,
        *,
        depth: int = 16,
        batch_norm: bool | None = None,
        normalisation: str | None = None,
        **_: Any,
    ) -> Pretrained:
        """Return torchvision's weights of this name.

        Raises:
            ValueError: the depth or the name of the weights is unknown, or the network has another normalisation.
        """
        choose("depth", str(depth), _DEPTHS, "depth")
        has_batch = batch_norm if normalisation is None else normalisation == "batch"
        check_published(normalisation or "none", ("batch", "none"))
        return from_torchvision(f"vgg{depth}_bn" if has_batch else f"vgg{depth}", weights)

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, num_outputs)."""
        return self.classifier(self.avgpool(self.features(inputs)).flatten(1))
