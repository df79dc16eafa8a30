"""What a network costs."""

import copy
from typing import Any

import torch
from torch import nn

from firstlight.spec import DataSpec


def flops_per_sample(network: nn.Module, spec: DataSpec) -> int:
    """Floating point operations of one sample forward, a multiplication and an addition counted as two.

    A network that takes anything but floats of the spec's shape says in `example` what it takes.

    Counts matrix products and convolutions, as torch's counter does. Takes no time and no memory: the shapes
    alone pass through the network, on torch's meta device.
    """
    from torch.utils.flop_counter import FlopCounterMode  # imports triton, which takes a fifth of a second

    shadow: Any = copy.deepcopy(network).to("meta").eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        if hasattr(shadow, "example_input"):
            shadow(shadow.example_input(1, "meta"))
        else:
            shadow(torch.empty(1, *spec.input_shape, device="meta"))
    return counter.get_total_flops()


def num_parameters(network: nn.Module) -> int:
    """All of them, trained or frozen."""
    return sum(parameter.numel() for parameter in network.parameters())
