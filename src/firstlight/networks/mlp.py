"""The multi-layer perceptron."""

import copy
import itertools
import math
from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn

from firstlight.checks import check_range
from firstlight.networks.initialisation import initialise
from firstlight.networks.layers import build_activation, build_dropout, build_normalisation
from firstlight.networks.network import Network
from firstlight.spec import DataSpec


class MLP(Network):
    """Linear layers; a normalisation, an activation and dropout follow each hidden one (Rumelhart et al. 1986).

    Args:
        spec: spec of the data; inputs are flattened.
        hidden_sizes: units of each hidden layer; an empty list leaves one linear layer.
        normalisation: name of the normalisation after each hidden layer, see `layers.build_normalisation`.
        activation: name of the activation, see `layers.ACTIVATIONS`.
        dropout: probability that a hidden unit is dropped in training (Srivastava et al. 2014).
        initialisation: name of the initialisation, see `initialisation.INITIALISATIONS`; None keeps PyTorch's.

    Raises:
        ValueError: a size is below 1, the dropout is out of range, or an activation, normalisation or initialisation is
            unknown.
    """

    accepts: ClassVar[tuple[str, ...]] = ("images", "numbers")

    def __init__(
        self,
        spec: DataSpec,
        *,
        hidden_sizes: Sequence[int] = (256, 128),
        normalisation: str = "none",
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
            norm = build_normalisation(normalisation, out_features, of_images=False)
            hidden += [nn.Linear(in_features, out_features), *norm, *copy.deepcopy(after)]
        self.hidden = nn.Sequential(*hidden)
        self.output = nn.Linear(sizes[-1], spec.num_outputs)
        initialise(self, initialisation)

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, *input_shape) -> (batch, num_outputs)."""
        return self.output(self.hidden(inputs.flatten(1)))
