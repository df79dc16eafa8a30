"""Lengths of texts, and batches of like length."""

import torch
from torch import Tensor

from firstlight.data.store import Split

_POOL = 32  # batches whose samples are sorted together
_ROWS = 4096  # whose lengths are counted at a time


def lengths_of(split: Split) -> Tensor:
    """Return the number of tokens of each text of a split: (samples,), int64, on the CPU."""
    rows = torch.arange(len(split.targets)) if split.indices is None else split.indices.cpu()
    counted = [(split.inputs[part] >= 0).sum(1).cpu() for part in rows.split(_ROWS)]
    return torch.cat(counted) if counted else torch.zeros(0, dtype=torch.int64)


def by_length(order: Tensor, lengths: Tensor, batch_size: int, random: torch.Generator) -> Tensor:
    """Return an order in which the samples of a batch have like lengths, so that little of it lies after their ends.

    The samples of 32 batches at a time are sorted by length. Then the batches are shuffled. Which samples meet in a
    batch differs between epochs as the given order does. A last batch that is smaller stays the last.

    Args:
        order: samples in random order, (samples,).
        lengths: length of each sample, by its number.
        batch_size: samples of a batch.
        random: generator that shuffles the batches.
    """
    pools = order.split(_POOL * batch_size)
    ordered = torch.cat([pool[lengths[pool].argsort(stable=True)] for pool in pools])
    number = len(ordered) // batch_size
    full = ordered[: number * batch_size].view(number, batch_size)
    return torch.cat([full[torch.randperm(number, generator=random)].flatten(), ordered[number * batch_size :]])
