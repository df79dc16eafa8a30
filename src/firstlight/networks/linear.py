"""Softmax regression."""

import math
from typing import ClassVar

from torch import Tensor, nn

from firstlight.networks.initialisation import initialise
from firstlight.spec import DataSpec


class Linear(nn.Module):
    """One matrix and one bias: the scores of the classes are linear in the pixels.

    The heir of the single-layer perceptron (Rosenblatt 1958); with cross entropy, multinomial logistic regression.

    Args:
        spec: of the input; its shape is flattened.
        initialisation: of the weights, by name, such as xavier; None for PyTorch's.

    Raises:
        ValueError: an unknown initialisation.
    """

    takes: ClassVar[tuple[str, ...]] = ("pictures", "numbers")

    def __init__(self, spec: DataSpec, *, initialisation: str | None = None) -> None:
        super().__init__()
        self.output = nn.Linear(math.prod(spec.input_shape), spec.num_outputs)
        initialise(self, initialisation)

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, *input_shape) -> (batch, num_outputs)."""
        return self.output(inputs.flatten(1))
