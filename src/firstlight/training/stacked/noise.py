"""Dropout of stacked networks: each replica draws the noise of its own run."""

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn

# Layers whose output is their input times a noise that does not depend on it.
_LAYERS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)


class Streams:
    """A random generator for each replica, within one step.

    Args:
        device: the device that draws.
        number: the number of replicas.
    """

    def __init__(self, device: torch.device, number: int) -> None:
        index = torch.cuda.current_device() if device.type == "cuda" and device.index is None else device.index
        self._default = torch.cuda.default_generators[index] if device.type == "cuda" else torch.default_generator
        self.generators = [torch.Generator(self._default.device) for _ in range(number)]

    def seed(self, replica: int, seed: int) -> None:
        """Begin the stream of a replica."""
        self.generators[replica].manual_seed(seed)

    def go_on(self, replica: int) -> None:
        """Let the stream of a replica go on where the default generator is now."""
        self.generators[replica].set_state(self._default.get_state())

    def draw(self, replica: int, function: Callable[[], Tensor]) -> Tensor:
        """Return what a function draws from the default generator, which has the stream of a replica meanwhile."""
        own = self.generators[replica]
        self._default.set_state(own.get_state())
        drawn = function()
        own.set_state(self._default.get_state())
        return drawn

    def keeps(self, probability: float, *shape: int) -> Tensor:
        """Return 1 with a probability, else 0: (replicas, *shape), as `F.dropout` draws them on a CPU."""
        drawn = torch.empty(len(self.generators), *shape)
        for part, own in zip(drawn, self.generators, strict=True):
            part.bernoulli_(probability, generator=own)
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
        info: Any, in_dims: Any, inputs: Tensor, layer: Any, streams: Streams, channels_last: bool
    ) -> tuple[Tensor, int]:
        inputs = inputs.movedim(in_dims[0], 0)
        is_plain = type(layer) is nn.Dropout and inputs.ndim == 3 and layer.p < 1
        if is_plain and inputs.device.type == "cpu" and inputs.dtype == torch.float32:
            kept = 1 - layer.p
            return streams.keeps(kept, *inputs.shape[1:]).div_(kept), 0  # the generators are not copied
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
