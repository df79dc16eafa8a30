"""Activations, normalisations, poolings and dropout: layers that an option names or configures."""

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
NORMALISATIONS = ("batch", "layer", "group", "none")
_MAX_GROUPS, _MIN_GROUP = 32, 8  # groups of a group normalisation, and features of each
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


def build_normalisation(name: str, num_features: int, *, of_images: bool) -> list[nn.Module]:
    """Return a new normalisation layer in a list, which is empty for `none`.

    - batch: each feature over the samples of a batch; fixed statistics in evaluation (Ioffe & Szegedy 2015).
    - layer: all features of a sample together (Ba, Kiros & Hinton 2016).
    - group: groups of the features of a sample, at most 32 groups of at least 8 features (Wu & He 2018).
    - none: no layer.

    Args:
        name: name of the normalisation.
        num_features: channels, or units of a linear layer.
        of_images: whether the features are channels of images, whose pixels are normalised together.

    Raises:
        ValueError: the normalisation is unknown.
    """
    choose("normalisation", name, NORMALISATIONS, "normalisation")
    if name == "none":
        return []
    if name == "batch":
        return [nn.BatchNorm2d(num_features) if of_images else nn.BatchNorm1d(num_features)]
    largest = max(1, min(_MAX_GROUPS, num_features // _MIN_GROUP)) if name == "group" else 1
    groups = next(number for number in range(largest, 0, -1) if num_features % number == 0)
    return [nn.GroupNorm(groups, num_features)]


def check_published(name: str, known: tuple[str, ...] = ("batch",)) -> None:
    """Check that a network with this normalisation fits its published weights, which need one of `known`.

    Raises:
        ValueError: it does not.
    """
    if name not in known:
        raise ValueError(f"normalisation={name}: must be {' or '.join(known)} with published weights.")


def replace_normalisation(network: nn.Module, name: str) -> None:
    """Replace every batch normalisation of images in a network by the named normalisation, see `build_normalisation`.

    Raises:
        ValueError: the normalisation is unknown.
    """
    choose("normalisation", name, NORMALISATIONS, "normalisation")
    for path, layer in list(network.named_modules()):
        if isinstance(layer, nn.BatchNorm2d) and name != "batch":
            new = build_normalisation(name, layer.num_features, of_images=True)
            network.set_submodule(path, new[0] if new else nn.Identity())


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
