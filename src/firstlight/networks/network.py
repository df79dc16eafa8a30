"""What a network may say about itself, with defaults: the protocol between networks and the rest of firstlight."""

import functools
import inspect
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from firstlight.config.checking.source_code.signature import is_spec
from firstlight.config.instantiate import call, parameters_of
from firstlight.spec import DataSpec
from firstlight.transfer.pretrained import Pretrained


class Network(nn.Module):
    """Base class of networks: a plain module, and attributes that say what it accepts. All of them have defaults.

    A network is built as `Network(spec, *, options)`, where `spec` is the `DataSpec` of the data. A class or function
    whose parameters do not include `spec` is built from its options alone, such as those of torchvision. Any
    `nn.Module` will do: `completed` gives it the attributes that it lacks.

    Attributes:
        accepts: kinds of samples: "images", "numbers", "tokens" or several of them.
        min_size: smallest height and width of the images. Smaller images are enlarged.
        task: the `task_name` of the task that the network is made for; None if any task fits.
        is_linear: whether the outputs are a linear function of the inputs.
        has_state: whether the network reads a text part by part: `step(tokens, state)` returns logits and a state.
        head_names: paths of the output layers; None if the last linear layer is the output layer.
        weights_prefix: put before the names of pretrained weights that lack it.
        unused_prefixes: prefixes of the names of pretrained weights that the network ignores.
    """

    accepts: ClassVar[str | tuple[str, ...]] = ("images", "numbers", "tokens")
    min_size: ClassVar[int] = 1
    task: ClassVar[str | None] = None
    is_linear: ClassVar[bool] = False
    has_state: ClassVar[bool] = False
    head_names: tuple[str, ...] | None = None
    weights_prefix: ClassVar[str] = ""
    unused_prefixes: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def input_size_for(cls, spec: DataSpec, /, **options: Any) -> int | None:
        """Return the height and width to which images are resized, given the options; None keeps those of the data."""
        return None

    @classmethod
    def pretrained(cls, weights: str, /, **options: Any) -> Pretrained | None:
        """Return published weights by their name, or by `default`; None if there are none.

        Raises:
            ValueError: the name is unknown.
        """
        return None

    def encoder_stages(self) -> list[list[nn.Module]] | None:
        """Return the modules of each stage of a named encoder, which may be frozen; None if the network has none.

        The modules of `head_names` are then the rest of the network.
        """
        return None

    def example_input(self, batch_size: int, device: torch.device | str) -> Tensor | None:
        """Return an input of `forward` (batch, ...); None if that is a float tensor (batch, *input_shape)."""
        return None


_NAMES = tuple(name for name in vars(Network) if not name.startswith("_"))


def class_of(target: Any) -> type[Network]:
    """Return the class of a network with all attributes of `Network`, to ask it before a network is built.

    Args:
        target: the class of the network. A function that returns a network says nothing, so it has the defaults.
    """
    if not isinstance(target, type):
        return type(getattr(target, "__name__", "network"), (Network,), {})
    return target if issubclass(target, Network) else type(target.__name__, (target, Network), {})


def create(network_class: functools.partial[nn.Module], spec: DataSpec) -> Any:
    """Build a network. It gets the spec of the data only if it has a parameter `spec`.

    Args:
        network_class: what `bind` returns for the node `model`.
        spec: the data, as the network sees it.

    Raises:
        ValueError: the network refuses an option, or is no `nn.Module`.
    """
    parameter = parameters_of(network_class.func).get("spec")
    takes_spec = parameter is not None and (
        parameter.annotation is parameter.empty or is_spec(_text(parameter.annotation))
    )
    network = call("model", network_class, **({"spec": spec} if takes_spec else {}))
    if not isinstance(network, nn.Module):
        raise ValueError(f"model: must be a torch.nn.Module, not a {type(network).__name__}.")
    return completed(network)


def _text(annotation: Any) -> str:
    return annotation if isinstance(annotation, str) else str(annotation)


def completed(network: nn.Module) -> Any:
    """Return a network that has all attributes of `Network`: those that it lacks are set to the defaults."""
    for name in _NAMES:
        if not hasattr(network, name):
            default = inspect.getattr_static(Network, name)
            bound = default.__get__(network, Network) if inspect.isfunction(default) else getattr(Network, name)
            setattr(network, name, bound)
    return network


def example_of(spec: DataSpec, batch_size: int, device: torch.device | str = "cpu") -> Tensor:
    """Return zeros in the shape and type of a network's input: float, or int64 for tokens."""
    dtype = torch.int64 if spec.kind == "tokens" else torch.float32
    return torch.zeros(batch_size, *spec.input_shape, dtype=dtype, device=device)


def image_shape(network: Network, spec: DataSpec) -> tuple[int, int, int]:
    """Return the (channels, height, width) of the images of a data set.

    Raises:
        ValueError: the images are smaller than the network's `min_size`.
    """
    channels, height, width = spec.input_shape
    smallest, name = network.min_size, type(network).__name__
    if min(height, width) < smallest:
        raise ValueError(f"model: must get images of at least {smallest}x{smallest}, not {height}x{width} ({name}).")
    return channels, height, width


def num_parameters(network: nn.Module) -> int:
    """Return the number of parameters, both trained and frozen; those of lazy layers count after their first batch."""
    return sum(parameter.numel() for parameter in network.parameters() if not is_lazy(parameter))


def has_lazy_layers(network: nn.Module) -> bool:
    """Return whether a network has layers, such as `torch.nn.LazyLinear`, whose sizes follow from their first batch."""
    return any(map(is_lazy, network.parameters())) or any(map(is_lazy, network.buffers()))


def parameters_text(network: nn.Module) -> str:
    """Return the number of parameters for a line of text, and whether lazy layers will add theirs."""
    lazy = " and those of lazy layers" if has_lazy_layers(network) else ""
    return f"{num_parameters(network):,} parameters{lazy}"
