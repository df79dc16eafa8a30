"""The strongest channels of each layer: what a network sees in an image, layer by layer."""

from typing import NamedTuple

from torch import Tensor, nn

from firstlight.runs.explain.features import find_features

NUMBER = 4  # of the strongest channels of a layer
_MAX_LAYERS = 6


class LayerChannels(NamedTuple):
    """The strongest channels of a layer, from the strongest on.

    Attributes:
        name: dotted path of the layer.
        numbers: which channels they are, (batch, number), from 0.
        values: (batch, number, height, width).
    """

    name: str
    numbers: Tensor
    values: Tensor


def strongest_channels(network: nn.Module, inputs: Tensor) -> list[LayerChannels]:
    """Return the channels with the largest mean absolute value, of the last layer of each resolution.

    Args:
        network: the network, in evaluation mode.
        inputs: (batch, channels, height, width), as the network takes them.
    """
    return [_strongest(each.name, each.values) for each in find_features(network, inputs)[-_MAX_LAYERS:]]


def _strongest(name: str, values: Tensor) -> LayerChannels:
    numbers = values.abs().mean((2, 3)).topk(min(NUMBER, values.shape[1])).indices
    height, width = values.shape[2:]
    chosen = values.gather(1, numbers[..., None, None].expand(-1, -1, height, width))
    return LayerChannels(name, numbers.cpu(), chosen.float().cpu())
