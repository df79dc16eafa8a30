"""Linear and softmax regression."""

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from firstlight.networks.initialisation import initialise
from firstlight.spec import DataSpec


class Linear(nn.Module):
    """One matrix and one bias: the outputs are linear in the inputs.

    The heir of the single-layer perceptron (Rosenblatt 1958); with cross entropy, multinomial logistic regression;
    with squared errors, linear regression.

    Args:
        spec: of the input; its shape is flattened.
        initialisation: of the weights, by name, such as xavier; None for PyTorch's.
        start: the first weights themselves, one for each input, and the first bias after them, in place of those that
            are drawn; for one output. With one input, slope and intercept of a line.

    Raises:
        ValueError: an unknown initialisation, or more or fewer first weights than there are.
    """

    accepts: ClassVar[tuple[str, ...]] = ("images", "numbers")

    def __init__(
        self, spec: DataSpec, *, initialisation: str | None = None, start: Sequence[float] | None = None
    ) -> None:
        super().__init__()
        self.output = nn.Linear(math.prod(spec.input_shape), spec.num_outputs)
        initialise(self, initialisation)
        if start is not None:
            self._begin_at(start)

    @torch.no_grad()
    def _begin_at(self, start: Sequence[float]) -> None:
        num_outputs, num_inputs = self.output.weight.shape
        if num_outputs != 1 or len(start) != num_inputs + 1:
            raise ValueError(
                f"start={list(start)}: {num_inputs} weights and a bias, for one output; this network has {num_outputs}."
            )
        *weights, bias = start
        self.output.weight.copy_(torch.tensor([weights]))
        self.output.bias.fill_(bias)

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, *input_shape) -> (batch, num_outputs)."""
        return self.output(inputs.flatten(1))
