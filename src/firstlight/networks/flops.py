"""The cost of a network in floating point operations."""

import copy

import torch
from torch import nn

from firstlight.networks.network import completed, example_of
from firstlight.spec import DataSpec


def flops_per_sample(network: nn.Module, spec: DataSpec) -> int:
    """Return the floating point operations of the forward pass of one sample.

    A multiplication and an addition count as two operations. PyTorch's counter counts matrix products and
    convolutions. The forward pass runs on the meta device, which computes shapes only, so that it takes no time and no
    memory. A network that needs values runs on the CPU. The input is a float tensor of the spec's shape, or the
    network's `example_input`.
    """
    try:
        return _count(network, spec, "meta")
    except (NotImplementedError, RuntimeError, ValueError):
        return _count(network, spec, "cpu")


def _count(network: nn.Module, spec: DataSpec, device: str) -> int:
    from torch.utils.flop_counter import FlopCounterMode  # imports triton, which takes a fifth of a second

    twin = completed(copy.deepcopy(network).to(device).eval())
    example = twin.example_input(1, device)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        twin(example_of(spec, 1, device) if example is None else example)
    return counter.get_total_flops()
