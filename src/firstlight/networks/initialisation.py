"""Initial weights of networks."""

from collections.abc import Callable

from torch import Tensor, nn

from firstlight.checks import choose


def _normal(weight: Tensor) -> Tensor:
    return nn.init.normal_(weight, std=0.01)


def _he(weight: Tensor) -> Tensor:
    return nn.init.kaiming_normal_(weight, nonlinearity="relu")


INITIALISATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "zeros": nn.init.zeros_,
    "normal": _normal,
    "xavier": nn.init.xavier_uniform_,
    "he": _he,
    "orthogonal": nn.init.orthogonal_,
}


def initialise(network: nn.Module, name: str | None) -> None:
    """Draw the weights of all linear, convolutional and recurrent layers, and set their biases to zero.

    Each gate of a recurrent layer is drawn separately. Embeddings and normalisation layers do not change. The
    initialisations are:

    - zeros: all units of a layer stay equal; shows why the other initialisations are random.
    - normal: normal, standard deviation 0.01 (Krizhevsky, Sutskever & Hinton 2012, "ImageNet classification with
      deep convolutional neural networks", section 5).
    - xavier: uniform, the compromise between the variances that preserve signals and gradients (Glorot & Bengio 2010,
      "Understanding the difficulty of training deep feedforward neural networks", section 4.2.1).
    - he: normal, the variance that preserves signals through layers with ReLUs (He et al. 2015, "Delving deep into
      rectifiers", section 2.2).
    - orthogonal: orthonormal rows or columns (Saxe, McClelland & Ganguli 2014, "Exact solutions to
      the nonlinear dynamics of learning in deep linear neural networks").

    Args:
        network: the network, changed in place.
        name: name of the initialisation, see `INITIALISATIONS`; None changes nothing.

    Raises:
        ValueError: the initialisation is unknown.
    """
    if name is None:
        return
    choose("initialisation", name, INITIALISATIONS, "initialisation")
    for layer in network.modules():
        if isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d | nn.ConvTranspose2d):
            INITIALISATIONS[name](layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.RNNBase):
            for key, parameter in layer.named_parameters():
                if key.startswith("bias"):
                    nn.init.zeros_(parameter)
                else:
                    for gate in parameter.detach().split(layer.hidden_size):
                        INITIALISATIONS[name](gate)
