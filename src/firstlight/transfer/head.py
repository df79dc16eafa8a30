"""Finds, replaces and removes the head of a network, which turns features into outputs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

from firstlight.checks import choose

HEADS = ("linear", "mlp", "spatial")
_HIDDEN_SIZE = 256
_GRID = 4  # rows and columns of the features that a spatial head reads


class Head(nn.Sequential):
    """Several layers that replace the last layer of a network."""


def head_name(network: Any) -> str | None:
    """Return the name of a network's `Head`, or else of its last linear layer; None if it has neither.

    A network whose last linear layer is not its head lists its output layers in `head_names`, see
    `networks.network.Network`. The result is None if the list has several layers, or one that is not linear.
    """
    head_names: Any = network.head_names
    if head_names is not None:
        linear = [path for path in head_names if isinstance(network.get_submodule(path), nn.Linear | Head)]
        return linear[0] if len(head_names) == len(linear) == 1 else None
    name = None
    for candidate, layer in network.named_modules():
        if isinstance(layer, Head):
            return candidate
        if isinstance(layer, nn.Linear):
            name = candidate
    return name


def replace_head(network: nn.Module, head: str, num_outputs: int) -> None:
    """Replace the head of a network.

    Args:
        network: must end in a linear layer.
        head: `linear`; `mlp`: a hidden layer of 256 units, with dropout before and after it; or `spatial`: a linear
            layer that reads the mean features of a 4x4 grid, instead of those of the whole image, so that it knows
            where something is.
        num_outputs: outputs of the new head.

    Raises:
        ValueError: `head` is unknown, the network does not end in a linear layer, or it takes no mean of the image
            before it, for `spatial`.
    """
    choose("model.head", head, HEADS, "head")
    name = head_name(network)
    if name is None:
        raise ValueError(
            f"model.head={head}: must be null, because {type(network).__name__} does not end in a linear layer."
        )
    last = network.get_submodule(name)
    assert isinstance(last, nn.Linear)
    num_features = last.in_features
    if head == "spatial":
        pooling = getattr(network, "avgpool", None)
        if not (isinstance(pooling, nn.AdaptiveAvgPool2d) and pooling.output_size in (1, (1, 1))):
            raise ValueError(
                f"model.head={head}: must be linear or mlp, because {type(network).__name__} takes no mean over the"
                " image before its last layer."
            )
        network.set_submodule("avgpool", nn.AdaptiveAvgPool2d(_GRID))
        num_features *= _GRID**2
    layers: list[nn.Module] = [nn.Linear(num_features, num_outputs)]
    if head == "mlp":
        layers = [
            nn.Linear(last.in_features, _HIDDEN_SIZE),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(_HIDDEN_SIZE, num_outputs),
        ]
    network.set_submodule(name, Head(nn.Dropout(0.2), *layers) if head == "mlp" else layers[0])


@contextmanager
def head_removed(network: nn.Module, head: str) -> Iterator[nn.Module]:
    """Replace the layer named `head` by the identity inside a `with` block: the network then returns features."""
    layer = network.get_submodule(head)
    network.set_submodule(head, nn.Identity())
    try:
        yield network
    finally:
        network.set_submodule(head, layer)
