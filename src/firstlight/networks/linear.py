"""Linear and softmax regression."""

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from firstlight.networks.initialisation import initialise
from firstlight.networks.network import Network
from firstlight.spec import DataSpec


class Linear(Network):
    """One linear layer.

    With cross entropy it is multinomial logistic regression, with squared errors linear regression. It derives from the
    single-layer perceptron (Rosenblatt 1958).

    Args:
        spec: spec of the data; inputs are flattened.
        initialisation: name of the initialisation, see `initialisation.INITIALISATIONS`; None keeps PyTorch's.
        start: the initial weights, one for each input, followed by the initial bias; for networks of one output. With
            one input these are the slope and the intercept of a line. None draws them.

    Raises:
        ValueError: the initialisation is unknown, or `start` has the wrong length or the network several outputs.
    """

    accepts: ClassVar[tuple[str, ...]] = ("images", "numbers")
    is_linear: ClassVar[bool] = True

    def __init__(
        self, spec: DataSpec, *, initialisation: str | None = None, start: Sequence[float] | None = None
    ) -> None:
        super().__init__()
        self.output = nn.Linear(math.prod(spec.input_shape), spec.num_outputs)
        initialise(self, initialisation)
        if start is not None:
            self._set_weights(start)

    @torch.no_grad()
    def _set_weights(self, start: Sequence[float]) -> None:
        num_outputs, num_inputs = self.output.weight.shape
        if num_outputs != 1 or len(start) != num_inputs + 1:
            raise ValueError(
                f"start={list(start)}: must be {num_inputs} weights and a bias, for one output; this network has"
                f" {num_outputs} outputs."
            )
        *weights, bias = start
        self.output.weight.copy_(torch.tensor([weights]))
        self.output.bias.fill_(bias)

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, *input_shape) -> (batch, num_outputs)."""
        return self.output(inputs.flatten(1))
