"""The feature maps of a network: what its layers return for images, found by hooks in one forward pass."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn


class Features(NamedTuple):
    """What a layer returns.

    Attributes:
        name: dotted path of the layer in the network.
        layer: the layer.
        values: (batch, channels, height, width).
    """

    name: str
    layer: nn.Module
    values: Tensor


@torch.no_grad()
def find_features(network: nn.Module, inputs: Tensor) -> list[Features]:
    """Return the last feature maps of each resolution, in the order in which the network computes them.

    A layer that is called several times counts as its last call, which captum explains too. Feature maps of a single
    row or column have lost the place of what they have found, and are left out.

    Args:
        network: the network, in evaluation mode.
        inputs: (batch, channels, height, width), as the network takes them.
    """
    returned: dict[nn.Module, Any] = {}
    with _recorded(network, returned):
        network(inputs)
    names = {layer: name for name, layer in network.named_modules()}
    last: dict[torch.Size, Features] = {}
    for layer, values in returned.items():
        if layer is not network and _have_places(values, len(inputs)):
            last.pop(values.shape[2:], None)
            last[values.shape[2:]] = Features(names[layer], layer, values)
    return list(last.values())


@contextmanager
def _recorded(network: nn.Module, returned: dict[nn.Module, Any]) -> Iterator[None]:
    """Keep what each layer returns in its last call, in the order of these calls."""

    def keep(layer: nn.Module, _: Any, values: Any) -> None:
        returned.pop(layer, None)
        returned[layer] = values

    hooks = [layer.register_forward_hook(keep) for layer in network.modules()]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _have_places(values: Any, batch_size: int) -> bool:
    return isinstance(values, Tensor) and values.ndim == 4 and len(values) == batch_size and min(values.shape[2:]) > 1
