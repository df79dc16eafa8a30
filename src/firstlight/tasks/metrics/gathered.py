"""What metrics need of all samples at once, from every process of a run."""

from typing import Any

import torch


def gathered(own: list[Any]) -> list[Any]:
    """Return the entries of all processes, those of rank 0 first. In a run of several, all of them must call this.

    Args:
        own: the entries of this process, which can be pickled.
    """
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return own
    ranks: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(ranks, own)
    return [entry for rank in ranks for entry in rank]
