"""What a task has found for each sample of a split."""

from typing import Any

import torch
from torch import Tensor

MAX_NUMBERS = 2**25  # of outputs that are kept: 128 MiB


class Outcomes:
    """The outputs, targets and losses of the samples of one split, in the order of the split.

    Memory is bounded: if the outputs have more than `limit` numbers, every second sample is dropped, and again if
    needed. So those that are kept are evenly spaced over the split. They stay on the device until `gather`, which must
    be called before anything is read.

    Args:
        limit: numbers of outputs that are kept at most.

    Attributes:
        outputs: (samples, ...), float32.
        targets: (samples, ...).
        losses: (samples,), float32.
        indices: (samples,), the place of each sample in the split.
        num_samples: samples of the split, dropped ones included.
    """

    outputs: Tensor
    targets: Tensor
    losses: Tensor
    indices: Tensor

    def __init__(self, limit: int = MAX_NUMBERS) -> None:
        self.num_samples = 0
        self._limit = limit
        self._stride = 1
        self._parts: list[list[Tensor]] = []  # outputs, targets, losses, and the place among the samples of this rank
        self._numbers = 0  # of outputs that are kept
        self._counts: list[int] = []  # samples of this rank in each batch

    def __len__(self) -> int:
        return len(self.indices)

    def add(self, outputs: Tensor, targets: Tensor, losses: Tensor) -> None:
        """Add a batch of this rank, which may be empty, without waiting for the device."""
        places = torch.arange(self.num_samples, self.num_samples + len(outputs))
        self._counts.append(len(outputs))
        self.num_samples += len(outputs)
        kept = (places % self._stride == 0).nonzero()[:, 0]
        if len(kept):
            chosen = slice(int(kept[0]), None, self._stride)
            self._parts.append([outputs[chosen].float(), targets[chosen], losses[chosen].float(), places[chosen]])
            self._numbers += self._parts[-1][0].numel()
        while self._numbers > self._limit:
            self._thin()

    def _thin(self) -> None:
        """Drop every second sample."""
        self._stride *= 2
        joined = [torch.cat(tensors) for tensors in zip(*self._parts, strict=True)]
        self._parts = [[tensor[::2].clone() for tensor in joined]]
        self._numbers = self._parts[0][0].numel()

    def gather(self) -> "Outcomes":
        """Join the samples of all ranks on the CPU. In a run of several processes, all of them must call this."""
        own = [torch.cat(tensors).cpu() for tensors in zip(*self._parts, strict=True)]
        ranks: list[Any] = [(own, self._counts, self._stride)]
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            ranks = [None] * torch.distributed.get_world_size()
            torch.distributed.all_gather_object(ranks, (own, self._counts, self._stride))
        counts = torch.tensor([counts for _, counts, _ in ranks], dtype=torch.int64)  # (ranks, batches)
        stride = max(stride for _, _, stride in ranks)
        # A rank may have no samples.
        parts = [_placed(found, counts, rank, stride) for rank, (found, _, _) in enumerate(ranks) if found]
        joined = [torch.cat(tensors) for tensors in zip(*parts, strict=True)] or [torch.zeros(0)] * 4
        order = joined[3].argsort()
        self.outputs, self.targets, self.losses, self.indices = (tensor[order] for tensor in joined)
        self.num_samples = int(counts.sum())
        self._parts = []
        return self


def _placed(found: list[Tensor], counts: Tensor, rank: int, stride: int) -> list[Tensor]:
    """Return the samples of a rank with their places in the split. A batch has those of rank 0, then of rank 1, ...

    Args:
        found: outputs, targets, losses and places among the samples of the rank.
        counts: (ranks, batches), the samples of each rank in each batch.
        rank: the rank.
        stride: the distance of the samples that are kept.
    """
    outputs, targets, losses, places = (tensor[found[3] % stride == 0] for tensor in found)
    ends = counts[rank].cumsum(0)
    batches = torch.searchsorted(ends, places, right=True)
    starts = counts.sum(0).cumsum(0) - counts.sum(0) + counts[:rank].sum(0)  # of the rank's part of each batch
    return [outputs, targets, losses, starts[batches] + places - (ends - counts[rank])[batches]]
