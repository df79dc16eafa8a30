"""The cost of a network: floating point operations and parameters."""

import copy
from typing import Any

import torch
from torch import nn

from firstlight.spec import DataSpec


def flops_per_sample(network: nn.Module, spec: DataSpec) -> int:
    """Return the floating point operations of the forward pass of one sample.

    A multiplication and an addition count as two operations. PyTorch's counter counts matrix products and
    convolutions. The forward pass runs on the meta device, which computes shapes only, so that it takes no time and no
    memory. A network whose input is not a float tensor of the spec's shape has a method `example_input`.
    """
    from torch.utils.flop_counter import FlopCounterMode  # imports triton, which takes a fifth of a second

    meta_network: Any = copy.deepcopy(network).to("meta").eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        if hasattr(meta_network, "example_input"):
            meta_network(meta_network.example_input(1, "meta"))
        else:
            meta_network(torch.empty(1, *spec.input_shape, device="meta"))
    return counter.get_total_flops()


def num_parameters(network: nn.Module) -> int:
    """Return the number of parameters, both trained and frozen."""
    return sum(parameter.numel() for parameter in network.parameters())
