"""A convolutional network whose base and head are all options."""

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn

from firstlight.networks.image_size import fitting_poolings, image_shape
from firstlight.networks.initialisation import initialise
from firstlight.networks.layers import build_activation, build_dropout, build_pooling
from firstlight.spec import DataSpec


class CNN(nn.Module):
    """Blocks of convolution, batch normalisation, activation, dropout and pooling, and dense layers on what is left.

    The form that courses teach, the heir of LeNet-5 (LeCun et al. 1998); its defaults are theirs.

    Args:
        spec: of images of 8x8 or more.
        filters: maps of each block.
        kernel_size: height and width of every kernel, odd.
        hidden_sizes: units of each hidden dense layer; none at all leaves one matrix.
        batch_norm: normalise after every convolution (Ioffe & Szegedy 2015).
        activation: by name.
        pooling: by two, max or average, or none at all. One that would leave a block a single pixel is left out.
        dropout: probability that a unit of a block is dropped in training (Srivastava et al. 2014).
        head_dropout: the same of a hidden dense layer.
        initialisation: of the weights, by name; None for PyTorch's.

    Raises:
        ValueError: smaller images, no block, filters or a width below 1, an even kernel, a probability outside 0 to
            1, or an unknown activation, pooling or initialisation.
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
        activation: str = "relu",
        pooling: str | None = "max",
        dropout: float = 0.2,
        head_dropout: float = 0.3,
        initialisation: str | None = None,
    ) -> None:
        super().__init__()
        if not filters or any(number < 1 for number in filters):
            raise ValueError(f"filters={list(filters)}: one block or more, each of one filter or more.")
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f"kernel_size={kernel_size}: an odd number, so that a kernel has a middle.")
        if any(width < 1 for width in hidden_sizes):
            raise ValueError(f"hidden_sizes={list(hidden_sizes)}: a layer has one unit or more.")
        channels, rows, columns = image_shape(self, spec)
        blocks: list[nn.Module] = []
        for number, halves in zip(filters, fitting_poolings(min(rows, columns), len(filters)), strict=True):
            blocks.append(nn.Conv2d(channels, number, kernel_size, padding=kernel_size // 2, bias=not batch_norm))
            if batch_norm:
                blocks.append(nn.BatchNorm2d(number))
            blocks += [build_activation(activation, inplace=True), build_dropout(dropout)]
            if pooling is not None and halves:
                blocks.append(build_pooling(pooling))
                rows, columns = rows // 2, columns // 2
            channels = number
        self.features = nn.Sequential(*blocks)
        hidden: list[nn.Module] = []
        num_inputs = channels * rows * columns
        for width in hidden_sizes:
            hidden += [nn.Linear(num_inputs, width), build_activation(activation, inplace=True)]
            hidden.append(build_dropout(head_dropout, "head_dropout"))
            num_inputs = width
        self.hidden = nn.Sequential(*hidden)
        self.output = nn.Linear(num_inputs, spec.num_outputs)
        initialise(self, initialisation)

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, num_outputs)."""
        return self.output(self.hidden(self.features(inputs).flatten(1)))
