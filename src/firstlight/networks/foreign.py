"""Networks that know nothing of firstlight are tried on an example before the training."""

import contextlib
import functools
from typing import Any

import torch
from torch import Tensor, nn

from firstlight.config.instantiate import parameters_of
from firstlight.networks.network import example_of
from firstlight.spec import DataSpec
from firstlight.transfer.head import head_name

_LONGEST = 160  # characters of an error of a network
# What the options for the number of outputs and of input channels are usually called.
_OUTPUTS = (
    "num_classes",
    "num_outputs",
    "n_classes",
    "nb_classes",
    "num_labels",
    "out_features",
    "output_size",
    "out_dim",
)
_INPUTS = ("in_channels", "in_chans", "input_channels", "num_channels", "n_channels", "channels")
_COLUMNS = ("in_features", "num_features", "input_size", "input_dim", "in_dim", "num_inputs")


def initialise_lazy_layers(network: nn.Module, spec: DataSpec) -> None:
    """Let the lazy layers of a network, such as `torch.nn.LazyLinear`, take their sizes from an example.

    A network that does not take the example stays as it is; `check_forward` says why.

    Args:
        network: the network, whose mode stays as it is.
        spec: the samples, as the network sees them.
    """
    with contextlib.suppress(Exception):  # the code of the network may raise anything
        _forward(network, spec)


def check_forward(
    network: nn.Module, network_class: functools.partial[nn.Module], spec: DataSpec, shape: tuple[int, ...]
) -> None:
    """Check that a network takes the samples and returns outputs of the right shape.

    Args:
        network: the network, whose mode and state stay as they are.
        network_class: what `bind` returned for it.
        spec: the samples, as the network sees them.
        shape: shape of the output for one sample.

    Raises:
        ValueError: it does not. The message names the option that changes it, if the network has one.
    """
    name, options = type(network).__name__, _options(network, network_class)
    try:
        outputs = _forward(network, spec)
    except Exception as error:  # the code of the network may raise anything
        reason = " ".join(str(error).split()).rstrip(".")
        reason = reason if len(reason) <= _LONGEST else f"{reason[:_LONGEST]}…"
        fix = _fix(options, _INPUTS if spec.kind == "images" else _COLUMNS, spec.input_shape[0])
        raise ValueError(f"model: must accept {_described(spec)}, and {name} does not ({reason}).{fix}") from error
    if not isinstance(outputs, Tensor):
        raise ValueError(f"model: must return a tensor, and {name} returns a {type(outputs).__name__}.")
    if outputs.shape[1:] != shape or len(outputs) != 2:
        fix = _fix(options, _OUTPUTS, shape[0] if len(shape) == 3 else shape[-1])  # of a mask, the classes come first
        if not fix and head_name(network) is not None:
            fix = " To fix: model.head=linear"
        found = ", ".join(["batch" if len(outputs) == 2 else str(len(outputs)), *map(str, outputs.shape[1:])])
        wanted = ", ".join(["batch", *map(str, shape)])
        raise ValueError(f"model: must return ({wanted}) for this data, and {name} returns ({found}).{fix}")


def _forward(network: nn.Module, spec: DataSpec) -> Any:
    """Return the outputs for two samples."""
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        with torch.no_grad():
            return network(example_of(spec, 2))
    finally:
        for module, mode in modes.items():
            module.training = mode


def _options(network: nn.Module, network_class: functools.partial[nn.Module]) -> list[str]:
    """Return the options of a network. A function passes those that it does not know to the class."""
    return [*parameters_of(network_class.func), *parameters_of(type(network))]


def _fix(options: list[str], names: tuple[str, ...], value: int) -> str:
    found = next((name for name in names if name in options), None)
    return f" To fix: model.{found}={value}" if found else ""


def _described(spec: DataSpec) -> str:
    size = "x".join(map(str, spec.input_shape))
    return f"images of {size}" if spec.kind == "images" else f"{size} {spec.kind}"
