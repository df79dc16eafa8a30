"""A network."""

import math

from torch import Tensor, nn

from firstlight import DataSpec


class TwoLayers(nn.Module):
    """Two linear layers with a ReLU between them.

    Args:
        spec: the data: `spec.input_shape` is (channels, height, width), `spec.num_outputs` the number of classes.
        width: units of the hidden layer.
    """

    def __init__(self, spec: DataSpec, *, width: int = 32) -> None:
        super().__init__()
        self.hidden = nn.Linear(math.prod(spec.input_shape), width)
        self.output = nn.Linear(width, spec.num_outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits (batch, classes) for images (batch, channels, height, width)."""
        return self.output(self.hidden(inputs.flatten(1)).relu())
