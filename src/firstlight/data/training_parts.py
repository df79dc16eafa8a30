"""Divide a training split: the samples that validate, and a fraction of the others to train on."""

import torch
from torch import Tensor

from firstlight.data.store import Split
from firstlight.randomness import generator


def classes_of(train: Split) -> Tensor:
    """Return the class of each sample, (samples,), int64; zeros for targets that are no classes."""
    targets = train.own_targets
    is_class = targets.dtype == torch.int64 and targets.ndim == 1
    return targets if is_class else torch.zeros(len(train), dtype=torch.int64)


def is_validation(train: Split, fraction: float, stratified: bool, seed: int) -> Tensor:
    """Return which samples are held out for validation: (samples,), bool; at least one.

    Args:
        train: the training split.
        fraction: `data.val_fraction`.
        stratified: whether each class is held out in the same fraction.
        seed: the seed of the run.

    Raises:
        ValueError: no sample would be left for training.
    """
    num_samples = len(train)
    num_val = max(1, round(num_samples * fraction))
    if num_val >= num_samples:
        raise ValueError(
            f"data.val_fraction={fraction}: must leave samples for training; the training split has {num_samples}."
        )
    order = torch.randperm(num_samples, generator=generator(seed, "val"))
    held_out = order[:num_val]
    if stratified:
        by_class = order[classes_of(train)[order].sort(stable=True).indices]
        held_out = by_class[((torch.arange(num_val) + 0.5) * num_samples / num_val).long()]
    found = torch.zeros(num_samples, dtype=torch.bool)
    found[held_out] = True
    return found


def fraction_of(train: Split, fraction: float, seed: int) -> Split:
    """Return a fraction of the samples of each class, and at least one, or a number of them; of a text, its beginning.

    Larger fractions contain the samples of smaller ones.

    Args:
        train: the training split, without the samples for validation.
        fraction: `data.train_fraction`; above 1, the number of samples of each class, or all if there are fewer.
        seed: the seed of the run.

    Raises:
        ValueError: a number of samples is requested of a text, which has no classes.
    """
    if train.consecutive and fraction > 1:
        raise ValueError(f"data.train_fraction={fraction:g}: must be at most 1 for a text, which has no classes.")
    if train.consecutive:
        return train.part(torch.arange(max(1, round(len(train) * fraction))))
    classes = classes_of(train)
    order = torch.randperm(len(train), generator=generator(seed, "train_fraction"))
    kept = [order[classes[order] == label] for label in classes.unique()]
    rows = torch.cat([members[: _number(len(members), fraction)] for members in kept])
    return train.part(rows.sort().values)


def _number(num_samples: int, fraction: float) -> int:
    return max(1, round(num_samples * fraction)) if fraction <= 1 else int(fraction)
