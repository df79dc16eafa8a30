"""Activations by name."""

from torch import nn

from firstlight.nearest import suggestion

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "linear": nn.Identity,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
}


def activation_named(name: str) -> nn.Module:
    """A new module of the activation.

    Raises:
        ValueError: there is none of this name.
    """
    if name not in ACTIVATIONS:
        raise ValueError(f"activation={name}: there is no such activation. {suggestion(name, list(ACTIVATIONS))}")
    return ACTIVATIONS[name]()
