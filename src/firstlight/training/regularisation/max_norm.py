"""A largest norm of the weights into a unit."""

import torch
from torch import Tensor, nn

from firstlight.training.regularisation.weights import Weights

_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_LOOKED_UP = (nn.Embedding, nn.EmbeddingBag)  # their rows lead to no unit


@torch.no_grad()
def limit_norms(weights: Weights, part: nn.Module, max_norm: float) -> None:
    """Shrink the weights into each unit whose norm is above `max_norm` to that norm.

    A unit is an output of a linear layer, an output channel of a convolution, or a gate of a recurrent cell. Its inputs
    from one weight tensor count. Embeddings, and chosen parameters of one axis, stay as they are.

    Source: Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from overfitting", section 5.1.

    Args:
        weights: the weights that are limited.
        part: the part of the network that has just taken a step.
        max_norm: largest Euclidean norm.
    """
    for layer, _, weight in weights.layers_of(part):
        if weight.ndim < 2 or isinstance(layer, _LOOKED_UP):
            continue
        _limit(weight, _unit_axis(layer), max_norm)


def _unit_axis(layer: nn.Module) -> int:
    return 1 if isinstance(layer, _TRANSPOSED) else 0


def _limit(weight: Tensor, unit_axis: int, max_norm: float) -> None:
    axes = [axis for axis in range(weight.ndim) if axis != unit_axis]
    norms = torch.linalg.vector_norm(weight, dim=axes, keepdim=True)
    weight.mul_(torch.where(norms > max_norm, max_norm / norms, 1.0))
