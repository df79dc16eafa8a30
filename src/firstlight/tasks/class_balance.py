"""Classes with few samples, and weights that make up for unequal sizes."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from firstlight.data import Split

FEW = 10  # a class with fewer training samples is reported
_NUM_NAMED = 5


def class_counts(split: Split, num_classes: int) -> Tensor:
    """Return the number of samples of each class: (num_classes,)."""
    return torch.bincount(split.own_targets, minlength=num_classes)


def class_weights(counts: Tensor) -> Tensor:
    """Return weights in inverse proportion to the class sizes: (num_classes,). Their mean over samples is 1.

    A class without samples gets a finite weight.
    """
    return counts.sum() / (len(counts) * counts.clamp_min(1))


def checked_weights(class_weights: Sequence[float], labels: Sequence[str]) -> Tensor:
    """Return the weights of the classes as a tensor (num_classes,).

    Raises:
        ValueError: they are not one positive number for each class.
    """
    if len(class_weights) != len(labels) or not all(0 < weight < math.inf for weight in class_weights):
        raise ValueError(
            f"class_weights={list(class_weights)}: must be one number above 0 for each of {', '.join(labels)}."
        )
    return torch.tensor(class_weights, dtype=torch.float32)


def warnings(labels: Sequence[str], train_counts: Tensor, val_counts: Tensor) -> list[str]:
    """Return warnings about classes with few training samples or without validation samples.

    Args:
        labels: names of the classes.
        train_counts: samples of each class to train on.
        val_counts: samples of each class to validate with.
    """
    found = []
    small = [f"{label} {count}" for label, count in zip(labels, train_counts.tolist(), strict=True) if count < FEW]
    if small:
        found.append(f"classes with fewer than {FEW} training samples: {_first_of(small)}")
    missing = [label for label, count in zip(labels, val_counts.tolist(), strict=True) if not count]
    if missing:
        found.append(f"classes without validation samples: {_first_of(missing)}; raise data.val_fraction")
    return found


def _first_of(names: list[str]) -> str:
    more = f" and {len(names) - _NUM_NAMED} more" if len(names) > _NUM_NAMED else ""
    return ", ".join(names[:_NUM_NAMED]) + more
