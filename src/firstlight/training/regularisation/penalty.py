"""Penalties of large weights in the training loss."""

from collections.abc import Sequence

import torch
from torch import Tensor

from firstlight.config.options import Regularisation


def penalty(weights: Sequence[Tensor], options: Regularisation) -> Tensor:
    """Return `l1` times the sum of the absolute weights plus `l2` times the sum of their squares: a scalar.

    The gradient of l1 pulls each weight to exactly zero (lasso, Tibshirani 1996), that of l2 in proportion to the
    weight (ridge regression, Hoerl & Kennard 1970).

    Args:
        weights: the weights, one or more.
        options: has `l1` and `l2`.
    """
    sums = []
    if options.l1:
        sums += [options.l1 * weight.abs().sum() for weight in weights]
    if options.l2:
        sums += [options.l2 * weight.square().sum() for weight in weights]
    return torch.stack(sums).sum()
