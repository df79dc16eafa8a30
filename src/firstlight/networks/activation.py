"""Activations by name."""

from torch import nn

from firstlight.checks import choose

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
_WRITE_OVER = ("relu", "leaky_relu", "elu", "silu")


def build_activation(name: str, *, inplace: bool = False) -> nn.Module:
    """A new module of the activation.

    Args:
        name: of `ACTIVATIONS`.
        inplace: let it write over its input, where it can; for inputs that nothing else reads.

    Raises:
        ValueError: there is none of this name.
    """
    choose("activation", name, ACTIVATIONS, "activation")
    return ACTIVATIONS[name](inplace=True) if inplace and name in _WRITE_OVER else ACTIVATIONS[name]()


def replace_activations(network: nn.Module, name: str) -> None:
    """Put the activation of this name in the place of every ReLU and ReLU6.

    Raises:
        ValueError: there is none of this name.
    """
    for path, layer in list(network.named_modules()):
        if isinstance(layer, nn.ReLU | nn.ReLU6):
            network.set_submodule(path, build_activation(name, inplace=True))
