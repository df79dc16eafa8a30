"""Losses of a segmentation, in which ignored pixels do not count."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from firstlight.checks import choose
from firstlight.spec import IGNORED

_SMOOTH = 1.0  # pixels that are added to both sides of the Dice coefficient, which is 0 / 0 without a class


def cross_entropy(logits: Tensor, targets: Tensor, weights: Tensor | None, gamma: float) -> Tensor:
    """Return the mean cross entropy of the pixels, weighted by their classes; 0 if all pixels are ignored.

    Args:
        logits: (batch, classes, height, width).
        targets: (batch, height, width), int64: a class or `spec.IGNORED`.
        weights: (classes,); None for equal weights.
        gamma: not used.
    """
    each = F.cross_entropy(logits, targets, weights, ignore_index=IGNORED, reduction="none")
    return each.sum() / _total(targets, weights)


def focal(logits: Tensor, targets: Tensor, weights: Tensor | None, gamma: float) -> Tensor:
    """Return the focal loss (Lin et al. 2017, equation 4): a pixel whose class has the probability p counts
    (1 - p)**gamma times. The arguments are those of `cross_entropy`."""
    plain = F.cross_entropy(logits, targets, ignore_index=IGNORED, reduction="none")
    each = (1 - (-plain).exp()).pow(gamma) * plain
    if weights is not None:
        each = each * weights[_known(targets)]
    return each.sum() / _total(targets, weights)


def dice(logits: Tensor, targets: Tensor, weights: Tensor | None, gamma: float) -> Tensor:
    """Return 1 minus the mean of the classes' Dice coefficients over the pixels of the batch, weighted by class.

    The coefficients are those of Milletari, Navab & Ahmadi 2016, section 3, without squares in the denominator (Sudre
    et al. 2017, table 1). The arguments are those of `cross_entropy`.
    """
    known = (targets != IGNORED)[:, None]
    probabilities = logits.softmax(1) * known
    true = F.one_hot(_known(targets), logits.shape[1]).movedim(3, 1) * known
    both, either = (probabilities * true).sum((0, 2, 3)), (probabilities + true).sum((0, 2, 3))
    coefficients = (2 * both + _SMOOTH) / (either + _SMOOTH)
    if weights is None:
        return 1 - coefficients.mean()
    return 1 - (weights * coefficients).sum() / weights.sum()


LOSSES: dict[str, Callable[[Tensor, Tensor, Tensor | None, float], Tensor]] = {
    "cross_entropy": cross_entropy,
    "dice": dice,
    "focal": focal,
}


class Loss:
    """The sum of one or several losses.

    Args:
        names: names among `LOSSES`, joined by "+".
        gamma: the exponent of the focal loss.

    Raises:
        ValueError: a name is unknown.
    """

    def __init__(self, names: str, gamma: float) -> None:
        self.terms = [LOSSES[choose("loss", name.strip(), LOSSES, "loss")] for name in names.split("+")]
        self.gamma = gamma

    def __call__(self, logits: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
        """Return the loss; the arguments are those of `cross_entropy`."""
        found = [term(logits.float(), targets, weights, self.gamma) for term in self.terms]
        return torch.stack(found).sum()


def _known(targets: Tensor) -> Tensor:
    """Return targets with class 0 in place of ignored pixels."""
    return targets.masked_fill(targets == IGNORED, 0)


def _total(targets: Tensor, weights: Tensor | None) -> Tensor:
    """Return the sum of the weights of the pixels that count, or any positive number if none does."""
    known = targets != IGNORED
    if weights is None:
        return known.sum().clamp_min(1)
    total = (weights[_known(targets)] * known).sum()
    return torch.where(total > 0, total, 1.0)
