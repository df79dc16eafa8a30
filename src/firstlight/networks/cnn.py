"""A convolutional network with configurable blocks and linear layers."""

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn

from firstlight.checks import check_range
from firstlight.networks.image_size import fitting_poolings
from firstlight.networks.initialisation import initialise
from firstlight.networks.layers import build_activation, build_dropout, build_normalisation, build_pooling
from firstlight.networks.network import Network, image_shape
from firstlight.spec import DataSpec


class CNN(Network):
    """Blocks of convolution, normalisation, activation, dropout and pooling, followed by linear layers.

    Courses teach this form, a successor of LeNet-5 (LeCun et al. 1998), with these defaults.

    Args:
        spec: spec of the data; images of at least 8x8.
        filters: output channels of each block.
        kernel_size: height and width of every kernel, odd.
        hidden_sizes: units of each hidden linear layer; an empty list leaves the output layer only.
        batch_norm: whether batch normalisation follows every convolution (Ioffe & Szegedy 2015).
        normalisation: name of the normalisation that follows every convolution, see `layers.build_normalisation`; None
            for what `batch_norm` says.
        activation: name of the activation, see `layers.ACTIVATIONS`.
        pooling: max, average, or None for no pooling. Poolings that would leave a block a single pixel are omitted.
        dropout: probability that a unit of a block is dropped in training (Srivastava et al. 2014).
        head_dropout: probability that a unit of a hidden linear layer is dropped in training.
        initialisation: name of the initialisation, see `initialisation.INITIALISATIONS`; None keeps PyTorch's.

    Raises:
        ValueError: the images are too small, `filters` is empty, a size is below 1, the kernel size is even, a dropout
            is out of range, or an activation, normalisation, pooling or initialisation is unknown.
    """

    accepts: ClassVar[str] = "images"
    min_size: ClassVar[int] = 8

    def __init__(
        self,
        spec: DataSpec,
        *,
        filters: Sequence[int] = (25, 50, 75),
        kernel_size: int = 3,
        hidden_sizes: Sequence[int] = (512,),
        batch_norm: bool = True,
        normalisation: str | None = None,
        activation: str = "relu",
        pooling: str | None = "max",
        dropout: float = 0.2,
        head_dropout: float = 0.3,
        initialisation: str | None = None,
    ) -> None:
        super().__init__()
        if not filters:
            raise ValueError("filters=[]: must be at least one number of channels.")
        for key, sizes in {"filters": filters, "kernel_size": [kernel_size], "hidden_sizes": hidden_sizes}.items():
            for size in sizes:
                check_range(key, size, at_least=1)
        if kernel_size % 2 == 0:
            raise ValueError(f"kernel_size={kernel_size}: must be odd.")
        in_channels, rows, columns = image_shape(self, spec)
        if normalisation is None:
            normalisation = "batch" if batch_norm else "none"
        has_bias = normalisation == "none"
        blocks: list[nn.Module] = []
        for out_channels, pools in zip(filters, fitting_poolings(min(rows, columns), len(filters)), strict=True):
            blocks.append(nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2, bias=has_bias))
            blocks += build_normalisation(normalisation, out_channels, of_images=True)
            blocks += [build_activation(activation, inplace=True), build_dropout(dropout)]
            if pooling is not None and pools:
                blocks.append(build_pooling(pooling))
                rows, columns = rows // 2, columns // 2
            in_channels = out_channels
        self.features = nn.Sequential(*blocks)
        hidden: list[nn.Module] = []
        num_features = in_channels * rows * columns
        for size in hidden_sizes:
            hidden += [nn.Linear(num_features, size), build_activation(activation, inplace=True)]
            hidden.append(build_dropout(head_dropout, "head_dropout"))
            num_features = size
        self.hidden = nn.Sequential(*hidden)
        self.output = nn.Linear(num_features, spec.num_outputs)
        initialise(self, initialisation)

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, num_outputs)."""
        return self.output(self.hidden(self.features(inputs).flatten(1)))
