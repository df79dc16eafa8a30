"""Dropout of stacked networks: each replica draws the noise of its own run."""

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn

# Layers whose output is their input times a noise that does not depend on it.
_LAYERS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)


class Streams:
    """The states of the random generator of each replica, within one step.

    Args:
        device: the device that draws.
    """

    def __init__(self, device: torch.device) -> None:
        index = torch.cuda.current_device() if device.type == "cuda" and device.index is None else device.index
        self._generator = torch.cuda.default_generators[index] if device.type == "cuda" else torch.default_generator
        self._states: list[Tensor] = []

    def clear(self) -> None:
        """Forget the states of the step before."""
        self._states = []

    def keep(self) -> None:
        """Keep the state of the generator as that of the next replica."""
        self._states.append(self._generator.get_state())

    def draw(self, replica: int, function: Callable[[], Tensor]) -> Tensor:
        """Return what a function draws from the stream of a replica, which goes on behind it."""
        self._generator.set_state(self._states[replica])
        drawn = function()
        self._states[replica] = self._generator.get_state()
        return drawn


class _Noise(torch.autograd.Function):
    """Noise of the shape of the input: outside of `vmap` it is not called, and has no gradient."""

    @staticmethod
    def forward(inputs: Tensor, layer: nn.Module, streams: Streams, channels_last: bool) -> Tensor:
        raise AssertionError("only stacked networks draw this noise")

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        """Keep nothing."""

    @staticmethod
    def vmap(
        info: Any, in_dims: Any, inputs: Tensor, layer: nn.Module, streams: Streams, channels_last: bool
    ) -> tuple[Tensor, int]:
        inputs = inputs.movedim(in_dims[0], 0)
        like = torch.ones_like(inputs[0], memory_format=torch.contiguous_format)
        if channels_last and like.ndim == 4:  # the order in memory decides which pixel gets which number
            like = like.contiguous(memory_format=torch.channels_last)
        return torch.stack([streams.draw(replica, lambda: layer(like)) for replica in range(len(inputs))]), 0


class StackedDropout(nn.Module):
    """A dropout layer within a stacked network.

    Args:
        layer: the layer that it replaces.
        streams: the random generators of the replicas.
        channels_last: whether the layer alone would get feature maps whose channels lie side by side.
    """

    def __init__(self, layer: nn.Module, streams: Streams, *, channels_last: bool) -> None:
        super().__init__()
        self.layer = layer
        self.streams = streams
        self.channels_last = channels_last

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the inputs, in training times the noise of their replica."""
        if not self.layer.training:
            return inputs
        noise: Tensor = _Noise.apply(inputs.detach(), self.layer, self.streams, self.channels_last)
        return inputs * noise


def replace_dropout(network: nn.Module, streams: Streams, *, channels_last: bool) -> bool:
    """Let the dropout layers of a network draw for each replica; return whether there are any that drop."""
    found = [(name, layer) for name, layer in network.named_modules() if type(layer) in _LAYERS]
    drops = [(name, layer) for name, layer in found if cast(nn.Dropout, layer).p > 0]
    for name, layer in drops:
        network.set_submodule(name, StackedDropout(layer, streams, channels_last=channels_last))
    return bool(drops)
