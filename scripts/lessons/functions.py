"""Activations and their derivatives as formulas, on plain numbers. The tests compare them with PyTorch's layers."""

import math
from collections.abc import Callable
from dataclasses import dataclass

LEAKY_SLOPE = 0.01  # PyTorch's default


@dataclass(frozen=True)
class Activation:
    """A function of one number.

    Attributes:
        title: the name as the literature writes it.
        formula: the function as text.
        value: the function.
        derivative: its derivative. Where a function has none, at a corner, it is PyTorch's: that of the left side.
    """

    title: str
    formula: str
    value: Callable[[float], float]
    derivative: Callable[[float], float]


def sigmoid(x: float) -> float:
    """Return 1 / (1 + exp(-x)), computed so that no x overflows."""
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def _cumulative(x: float) -> float:
    """Return the probability that a standard normal number is below x."""
    return math.erfc(-x / math.sqrt(2)) / 2


def _density(x: float) -> float:
    """Return the density of the standard normal distribution."""
    return math.exp(-x * x / 2) / math.sqrt(2 * math.pi)


FUNCTIONS = {
    "linear": Activation("linear", "x", lambda x: x, lambda x: 1.0),
    "sigmoid": Activation("sigmoid", "1 / (1 + exp(-x))", sigmoid, lambda x: sigmoid(x) * sigmoid(-x)),
    "tanh": Activation("tanh", "tanh(x)", math.tanh, lambda x: 1 - math.tanh(x) ** 2),
    "relu": Activation("ReLU", "max(0, x)", lambda x: max(0.0, x), lambda x: float(x > 0)),
    "leaky_relu": Activation(
        "leaky ReLU",
        "x > 0: x, else 0.01 x",
        lambda x: x if x > 0 else LEAKY_SLOPE * x,
        lambda x: 1.0 if x > 0 else LEAKY_SLOPE,
    ),
    "elu": Activation(
        "ELU",
        "x > 0: x, else exp(x) - 1",
        lambda x: x if x > 0 else math.expm1(x),
        lambda x: 1.0 if x > 0 else math.exp(x),
    ),
    "gelu": Activation(
        "GELU",
        "x P(z < x), z normal",
        lambda x: x * _cumulative(x),
        lambda x: _cumulative(x) + x * _density(x),
    ),
    "silu": Activation(
        "SiLU",
        "x sigmoid(x)",
        lambda x: x * sigmoid(x),
        lambda x: sigmoid(x) * (1 + x * sigmoid(-x)),
    ),
    "softplus": Activation(
        "softplus",
        "log(1 + exp(x))",
        lambda x: max(0.0, x) + math.log1p(math.exp(-abs(x))),
        sigmoid,
    ),
}
