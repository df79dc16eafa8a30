"""The multi-layer perceptron."""

import copy
import itertools
import math
from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn

from firstlight.networks.initialisation import initialise
from firstlight.networks.layers import build_activation, build_dropout
from firstlight.spec import DataSpec


class MLP(nn.Module):
    """Fully connected layers with an activation and dropout after each hidden one (Rumelhart, Hinton & Williams 1986).

    Args:
        spec: of the input; its shape is flattened.
        hidden_sizes: units of each hidden layer; none at all makes it linear.
        activation: by name, such as relu or tanh.
        dropout: probability that a hidden unit is dropped in training (Srivastava et al. 2014).
        initialisation: of the weights, by name, such as xavier; None for PyTorch's.

    Raises:
        ValueError: a width below 1, a probability outside 0 to 1, or an unknown activation or initialisation.
    """

    accepts: ClassVar[tuple[str, ...]] = ("images", "numbers")

    def __init__(
        self,
        spec: DataSpec,
        *,
        hidden_sizes: Sequence[int] = (256, 128),
        activation: str = "relu",
        dropout: float = 0.0,
        initialisation: str | None = None,
    ) -> None:
        super().__init__()
        if any(width < 1 for width in hidden_sizes):
            raise ValueError(f"hidden_sizes={list(hidden_sizes)}: a layer has one unit or more.")
        sizes = [math.prod(spec.input_shape), *hidden_sizes]
        hidden: list[nn.Module] = []
        after = build_activation(activation), build_dropout(dropout)  # wrong ones are told without hidden layers too
        for num_inputs, num_outputs in itertools.pairwise(sizes):
            hidden += [nn.Linear(num_inputs, num_outputs), *copy.deepcopy(after)]
        self.hidden = nn.Sequential(*hidden)
        self.output = nn.Linear(sizes[-1], spec.num_outputs)
        initialise(self, initialisation)

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, *input_shape) -> (batch, num_outputs)."""
        return self.output(self.hidden(inputs.flatten(1)))
