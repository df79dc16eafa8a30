"""LeNet-5."""

from typing import ClassVar

from torch import Tensor, nn

from firstlight.networks.activation import activation_named
from firstlight.spec import DataSpec

_POOLINGS: dict[str, type[nn.AvgPool2d] | type[nn.MaxPool2d]] = {"average": nn.AvgPool2d, "max": nn.MaxPool2d}


class LeNet(nn.Module):
    """Three 5x5 convolutions of 6, 16 and 120 maps, two poolings between them, and two dense layers.

    Source: LeCun, Bottou, Bengio & Haffner 1998, "Gradient-based learning applied to document recognition",
    section II.B, in the form that the field uses: every map sees all maps before it, and pooling has no weights.
    61,706 parameters on 1x32x32 with 10 classes; on larger pictures the third convolution leaves a larger grid.

    Args:
        spec: of pictures of 32x32 or more.
        activation: by name; the paper's is a scaled tanh.
        pooling: average, as in the paper, or max.

    Raises:
        ValueError: smaller pictures, or an unknown activation or pooling.
    """

    min_size: ClassVar[int] = 32

    def __init__(self, spec: DataSpec, *, activation: str = "tanh", pooling: str = "average") -> None:
        super().__init__()
        channels, height, width = spec.input_shape
        if min(height, width) < self.min_size:
            raise ValueError(f"LeNet takes pictures of {self.min_size}x{self.min_size} or more, not {height}x{width}.")
        if pooling not in _POOLINGS:
            raise ValueError(f"pooling={pooling}: LeNet has {' and '.join(_POOLINGS)} pooling.")
        rows, columns = (((size - 4) // 2 - 4) // 2 - 4 for size in (height, width))

        def squash_and_pool() -> list[nn.Module]:
            pair = [activation_named(activation), _POOLINGS[pooling](2)]
            # What only rises keeps the order of values: after max pooling it gives the same, on a quarter of them.
            return pair[::-1] if pooling == "max" and activation not in ("gelu", "silu") else pair

        self.features = nn.Sequential(
            nn.Conv2d(channels, 6, 5),  # 32 -> 28
            *squash_and_pool(),  # -> 14
            nn.Conv2d(6, 16, 5),  # -> 10
            *squash_and_pool(),  # -> 5
            nn.Conv2d(16, 120, 5),  # -> 1
            activation_named(activation),
        )
        self.hidden = nn.Sequential(nn.Linear(120 * rows * columns, 84), activation_named(activation))
        self.output = nn.Linear(84, spec.num_outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, num_outputs)."""
        return self.output(self.hidden(self.features(inputs).flatten(1)))
