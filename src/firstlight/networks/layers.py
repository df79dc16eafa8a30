"""Activations, poolings and dropout: layers that an option names or configures."""

from torch import nn

from firstlight.checks import check_range, choose

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "linear": nn.Identity,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
}
POOLINGS: dict[str, type[nn.AvgPool2d] | type[nn.MaxPool2d]] = {"average": nn.AvgPool2d, "max": nn.MaxPool2d}
_HAVE_INPLACE = ("relu", "leaky_relu", "elu", "silu")


def build_activation(name: str, *, inplace: bool = False) -> nn.Module:
    """Return a new activation layer.

    Args:
        name: name of the activation, see `ACTIVATIONS`.
        inplace: whether the layer may overwrite its input, if PyTorch's layer can. Set it only if nothing else reads
            the input.

    Raises:
        ValueError: the activation is unknown.
    """
    choose("activation", name, ACTIVATIONS, "activation")
    return ACTIVATIONS[name](inplace=True) if inplace and name in _HAVE_INPLACE else ACTIVATIONS[name]()


def replace_activations(network: nn.Module, name: str) -> None:
    """Replace every ReLU and ReLU6 of a network by the named activation.

    Raises:
        ValueError: the activation is unknown.
    """
    for path, layer in list(network.named_modules()):
        if isinstance(layer, nn.ReLU | nn.ReLU6):
            network.set_submodule(path, build_activation(name, inplace=True))


def build_pooling(name: str) -> nn.Module:
    """Return a new pooling layer that halves height and width.

    Args:
        name: name of the pooling, see `POOLINGS`.

    Raises:
        ValueError: the pooling is unknown.
    """
    choose("pooling", name, POOLINGS, "pooling")
    return POOLINGS[name](2)


def build_dropout(probability: float, key: str = "dropout") -> nn.Dropout:
    """Return a dropout layer (Srivastava et al. 2014).

    Args:
        probability: probability that a unit is dropped in training.
        key: name of the option that holds the probability, for error messages.

    Raises:
        ValueError: the probability is below 0, or 1 or more.
    """
    check_range(key, probability, at_least=0, below=1)
    return nn.Dropout(probability)
