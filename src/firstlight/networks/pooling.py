"""Poolings by name."""

from torch import nn

POOLINGS: dict[str, type[nn.AvgPool2d] | type[nn.MaxPool2d]] = {"average": nn.AvgPool2d, "max": nn.MaxPool2d}


def build_pooling(name: str) -> nn.Module:
    """A new module that halves height and width.

    Raises:
        ValueError: there is none of this name.
    """
    if name not in POOLINGS:
        raise ValueError(f"pooling={name}: there is {' and '.join(POOLINGS)} pooling.")
    return POOLINGS[name](2)
