"""Where a network ends: the head that gives its outputs, and the backbone before it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

HEADS = ("linear", "mlp")
_HIDDEN = 256


class Head(nn.Sequential):
    """Layers that stand in the place of a network's last one."""


def head_name(network: nn.Module) -> str | None:
    """The name of the head: of a `Head`, else of the last dense layer; None where there is neither.

    A network that the last dense layer says nothing of names the layers that give its outputs in `head_names`.
    """
    head_names: Any = getattr(network, "head_names", None)
    if head_names is not None:
        dense = [path for path in head_names if isinstance(network.get_submodule(path), nn.Linear | Head)]
        return dense[0] if len(head_names) == len(dense) == 1 else None
    name = None
    for candidate, layer in network.named_modules():
        if isinstance(layer, Head):
            return candidate
        if isinstance(layer, nn.Linear):
            name = candidate
    return name


def replace_head(network: nn.Module, head: str, num_outputs: int) -> None:
    """Put another head onto a network.

    Args:
        network: one that ends in a dense layer.
        head: linear, or mlp: with a hidden layer of 256 units and dropout before and after it.
        num_outputs: of the network.

    Raises:
        ValueError: there is no such head, or the network does not end in a dense layer.
    """
    if head not in HEADS:
        raise ValueError(f"model.head={head}: {' or '.join(HEADS)}.")
    name = head_name(network)
    if name is None:
        raise ValueError(f"model.head={head}: {type(network).__name__} does not end in a dense layer.")
    last = network.get_submodule(name)
    assert isinstance(last, nn.Linear)
    layers: list[nn.Module] = [nn.Linear(last.in_features, num_outputs)]
    if head == "mlp":
        layers = [nn.Linear(last.in_features, _HIDDEN), nn.ReLU(), nn.Dropout(0.5), nn.Linear(_HIDDEN, num_outputs)]
    network.set_submodule(name, Head(nn.Dropout(0.2), *layers) if head == "mlp" else layers[0])


@contextmanager
def head_removed(network: nn.Module, head: str) -> Iterator[nn.Module]:
    """The network with nothing in the place of its head: it gives what the head is given."""
    layer = network.get_submodule(head)
    network.set_submodule(head, nn.Identity())
    try:
        yield network
    finally:
        network.set_submodule(head, layer)
