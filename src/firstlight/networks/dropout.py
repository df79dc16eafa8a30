"""Dropout with a probability that is one."""

from torch import nn


def build_dropout(probability: float, name: str = "dropout") -> nn.Dropout:
    """A layer that drops units in training (Srivastava et al. 2014).

    Args:
        probability: that a unit is dropped.
        name: of the option that says so.

    Raises:
        ValueError: a probability outside 0 to 1, or 1 itself.
    """
    if not 0 <= probability < 1:
        raise ValueError(f"{name}={probability}: a probability from 0 to below 1.")
    return nn.Dropout(probability)
