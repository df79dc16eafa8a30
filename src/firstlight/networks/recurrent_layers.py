"""The stack of recurrent layers, with or without layer normalisation."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

NORMALISATIONS = ("none", "layer")


def plain_layers(
    layer_class: Callable[..., nn.RNNBase],
    input_size: int,
    hidden_size: int,
    num_layers: int,
    dropout: float,
    options: Mapping[str, Any],
) -> nn.Module:
    """Return PyTorch's own stack of layers.

    Args:
        layer_class: the class of a layer.
        input_size: length of the vectors that the first layer reads.
        hidden_size: units of each layer.
        num_layers: number of layers.
        dropout: probability that a unit between two layers is dropped in training.
        options: further options of the class.
    """
    between = dropout if num_layers > 1 else 0.0  # PyTorch warns about dropout with a single layer
    return layer_class(input_size, hidden_size, num_layers, dropout=between, **options)


def normalised_layers(
    layer_class: Callable[..., nn.RNNBase],
    input_size: int,
    hidden_size: int,
    num_layers: int,
    dropout: float,
    options: Mapping[str, Any],
) -> nn.Module:
    """Return a stack in which each layer reads normalised vectors; the arguments are those of `plain_layers`."""
    size = hidden_size * (2 if options["bidirectional"] else 1)
    sizes = [input_size, *[size] * (num_layers - 1)]
    return _NormalisedLayers([layer_class(each, hidden_size, **options) for each in sizes], sizes, dropout)


class _NormalisedLayers(nn.Module):
    """Recurrent layers on top of each other, each after a layer normalisation of what it reads.

    It is called as PyTorch's layers are. A padded text is normalised step by step, so its end changes nothing.
    """

    def __init__(self, layers: list[nn.RNNBase], sizes: list[int], dropout: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.norms = nn.ModuleList(map(nn.LayerNorm, sizes))
        self.dropout = nn.Dropout(dropout)

    def forward(self, vectors: Any, state: Any = None) -> tuple[Any, Any]:
        """Return the outputs of the last layer, (batch, steps, units) or packed, and the states of all layers."""
        states = [None] * len(self.layers) if state is None else _divided(state, len(self.layers))
        ends = []
        for place, (layer, norm, begin) in enumerate(zip(self.layers, self.norms, states, strict=True)):
            dropped = self.dropout if place else nn.Identity()
            vectors, end = layer(_each(vectors, nn.Sequential(dropped, norm)), begin)
            ends.append(end)
        return vectors, _joined(ends)


def _each(vectors: Any, module: nn.Module) -> Any:
    """Apply a module to the vector of each step, packed or not."""
    if isinstance(vectors, PackedSequence):
        return vectors._replace(data=module(vectors.data))
    return module(vectors)


def _divided(state: Any, number: int) -> list[Any]:
    """Return the state of each layer from (layers * directions, batch, units), or from a pair of such tensors."""
    if isinstance(state, tuple):
        return list(zip(*(part.chunk(number) for part in state), strict=True))
    return list(state.chunk(number))


def _joined(ends: list[Any]) -> Any:
    """Return what `_divided` divides."""
    if isinstance(ends[0], Tensor):
        return torch.cat(ends)
    return tuple(torch.cat(parts) for parts in zip(*ends, strict=True))
