"""The multi-layer perceptron."""

import copy
import itertools
import math
from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn

from firstlight.checks import check_range
from firstlight.networks.initialisation import initialise
from firstlight.networks.layers import build_activation, build_dropout
from firstlight.networks.network import Network
from firstlight.spec import DataSpec


class MLP(Network):
    """Linear layers with an activation and dropout after each hidden layer (Rumelhart, Hinton & Williams 1986).

    Args:
        spec: spec of the data; inputs are flattened.
        hidden_sizes: units of each hidden layer; an empty list leaves one linear layer.
        activation: name of the activation, see `layers.ACTIVATIONS`.
        dropout: probability that a hidden unit is dropped in training (Srivastava et al. 2014).
        initialisation: name of the initialisation, see `initialisation.INITIALISATIONS`; None keeps PyTorch's.

    Raises:
        ValueError: a size is below 1, the dropout is out of range, or an activation or initialisation is unknown.
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
        for size in hidden_sizes:
            check_range("hidden_sizes", size, at_least=1)
        sizes = [math.prod(spec.input_shape), *hidden_sizes]
        hidden: list[nn.Module] = []
        after = build_activation(activation), build_dropout(dropout)  # built here to check the options in every case
        for in_features, out_features in itertools.pairwise(sizes):
            hidden += [nn.Linear(in_features, out_features), *copy.deepcopy(after)]
        self.hidden = nn.Sequential(*hidden)
        self.output = nn.Linear(sizes[-1], spec.num_outputs)
        initialise(self, initialisation)

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, *input_shape) -> (batch, num_outputs)."""
        return self.output(self.hidden(inputs.flatten(1)))
