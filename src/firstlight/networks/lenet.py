"""LeNet-5."""

from typing import ClassVar

from torch import Tensor, nn

from firstlight.networks.initialisation import initialise
from firstlight.networks.layers import build_activation, build_dropout, build_normalisation, build_pooling
from firstlight.networks.network import Network, image_shape
from firstlight.spec import DataSpec


class LeNet(Network):
    """LeNet-5: three 5x5 convolutions of 6, 16 and 120 channels with two poolings, then two linear layers.

    Source: LeCun, Bottou, Bengio & Haffner 1998, "Gradient-based learning applied to document recognition",
    section II.B, in the usual simplified form: every channel is connected to all input channels, and pooling has no
    weights. It has 61,706 parameters on 1x32x32 with 10 classes. On larger images the output of the third convolution
    is larger.

    Args:
        spec: spec of the data; images of at least 32x32.
        activation: name of the activation, see `layers.ACTIVATIONS`; the paper has a scaled tanh.
        normalisation: name of the normalisation after each layer but the last, see `layers.build_normalisation`.
        dropout: probability that a unit of the hidden linear layer is dropped in training (Srivastava et al. 2014).
        pooling: average, as in the paper, or max.
        initialisation: name of the initialisation, see `initialisation.INITIALISATIONS`; None keeps PyTorch's.

    Raises:
        ValueError: the images are too small, the dropout is out of range, or an activation, normalisation, pooling or
            initialisation is unknown.
    """

    accepts: ClassVar[str] = "images"
    min_size: ClassVar[int] = 32

    def __init__(
        self,
        spec: DataSpec,
        *,
        activation: str = "tanh",
        pooling: str = "average",
        normalisation: str = "none",
        dropout: float = 0.0,
        initialisation: str | None = None,
    ) -> None:
        super().__init__()
        channels, height, width = image_shape(self, spec)
        rows, columns = (((size - 4) // 2 - 4) // 2 - 4 for size in (height, width))

        def activate_and_pool() -> list[nn.Module]:
            pair = [build_activation(activation), build_pooling(pooling)]
            # Monotonic activations and max pooling commute. Pooling first leaves a quarter of the values to compute.
            return pair[::-1] if pooling == "max" and activation not in ("gelu", "silu") else pair

        def normalise(num_features: int, *, of_images: bool = True) -> list[nn.Module]:
            return build_normalisation(normalisation, num_features, of_images=of_images)

        self.features = nn.Sequential(
            nn.Conv2d(channels, 6, 5),  # 32 -> 28
            *normalise(6),
            *activate_and_pool(),  # -> 14
            nn.Conv2d(6, 16, 5),  # -> 10
            *normalise(16),
            *activate_and_pool(),  # -> 5
            nn.Conv2d(16, 120, 5),  # -> 1
            *normalise(120),
            build_activation(activation),
        )
        self.hidden = nn.Sequential(
            nn.Linear(120 * rows * columns, 84),
            *normalise(84, of_images=False),
            build_activation(activation),
            build_dropout(dropout),
        )
        self.output = nn.Linear(84, spec.num_outputs)
        initialise(self, initialisation)

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, num_outputs)."""
        return self.output(self.hidden(self.features(inputs).flatten(1)))
