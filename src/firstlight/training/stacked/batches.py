"""The batches of several replicas as one tensor each."""

from collections.abc import Iterator, Sequence

import torch

from firstlight.data import BatchLoader
from firstlight.tasks import Batch


def stacked_batches(loaders: Sequence[BatchLoader]) -> Iterator[Batch]:
    """Yield raw inputs and targets (replicas, batch, ...): the next batch of each loader.

    Loaders of the same arrays are read together, with one copy for all replicas.

    Args:
        loaders: one of each replica, with equally many samples.
    """
    first = loaders[0]
    arrays = first.split
    if not all(each.split.inputs is arrays.inputs and each.split.targets is arrays.targets for each in loaders):
        for batches in zip(*loaders, strict=True):
            inputs, targets = (torch.stack(parts) for parts in zip(*batches, strict=True))
            yield inputs, targets
        return
    rows = torch.stack([each.rows() for each in loaders])  # (replicas, samples)
    for part in rows.split(first.batch_size, dim=1):
        chosen, shape = part.flatten(), part.shape
        inputs, targets = (tensor.index_select(0, chosen) for tensor in (arrays.inputs, arrays.targets))
        yield inputs.unflatten(0, shape), targets.unflatten(0, shape)
