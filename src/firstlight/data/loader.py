"""Batches of samples that are selected from arrays by index."""

from collections.abc import Iterator
from typing import Any, Literal

import torch
from torch import Tensor

from firstlight.data.store import Split
from firstlight.data.texts.lengths import by_length, lengths_of
from firstlight.randomness import generator


class BatchLoader:
    """Yields batches (inputs, targets) of one split on the device.

    The order depends on the seed and the epoch alone. All ranks use the same order, and each rank takes a part of
    each batch, so training does not depend on the number of devices. If the last batch cannot be divided evenly, a
    loader with a seed drops the remaining samples, and a loader without one gives some ranks a sample more. The
    arrays are copied to an accelerator once, if they fit into half of its free memory.

    A consecutive split is divided into `batch_size` streams. Each batch contains one sample of each stream, and the
    next batch contains the samples that follow. The seed and the epoch decide where the first stream begins.

    Texts that end are read in batches of like length, see `by_length`, and a batch is as long as its longest text.

    A balanced epoch has as many samples as the split and equally many of each class: it omits some samples of
    frequent classes and repeats samples of rare classes.

    Args:
        split: the samples.
        batch_size: samples per batch over all ranks; "all" for all samples of the split.
        seed: seed of the order; None keeps the order of the split and all samples.
        balanced: whether all classes occur equally often; requires a seed.
        reshuffle: whether each epoch has its own order; if not, all epochs have the order of the first one.
        device: device of the batches.
        rank: index of this process.
        world_size: number of processes.

    Raises:
        ValueError: `batch_size` is not a multiple of `world_size`.
    """

    def __init__(
        self,
        split: Split,
        batch_size: int | Literal["all"],
        *,
        seed: int | None = None,
        balanced: bool = False,
        reshuffle: bool = True,
        device: torch.device | str = "cpu",
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        if batch_size == "all":
            batch_size = -(-max(1, len(split)) // world_size) * world_size
        if batch_size % world_size:
            raise ValueError(
                f"data.batch_size={batch_size}: must be a multiple of {world_size}, the number of devices."
            )
        self.device = torch.device(device)
        self.lengths = lengths_of(split) if split.has_ends else None  # on the CPU, so that no batch waits for it
        self.split = _on_device(split, self.device)
        self.batch_size = batch_size
        self.seed = seed
        self.balanced = balanced
        self.reshuffle = reshuffle
        self.rank = rank
        self.world_size = world_size
        self.epoch = 0
        self.batch = 0  # number of batches already yielded in this epoch

    @property
    def num_samples(self) -> int:
        """Number of samples in an epoch over all ranks."""
        if self.seed is None or self.world_size == 1:
            return len(self.split)
        # In training every rank needs a sample in every batch.
        return len(self.split) - len(self.split) % (self.batch_size if self.split.consecutive else self.world_size)

    def __len__(self) -> int:
        return -(-self.num_samples // self.batch_size)

    def num_samples_between(self, begin: int, end: int) -> int:
        """Return the number of samples, over all ranks, in the batches of an epoch from `begin` to before `end`."""
        return min(end * self.batch_size, self.num_samples) - begin * self.batch_size

    def set_epoch(self, epoch: int) -> None:
        """Begin an epoch; the current epoch continues at its position."""
        if epoch != self.epoch:
            self.epoch, self.batch = epoch, 0

    def state_dict(self) -> dict[str, Any]:
        """Return the position in the epoch, with which another loader continues at the next batch."""
        return {"epoch": self.epoch, "batch": self.batch}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue at the position that `state_dict` returned."""
        self.epoch, self.batch = state["epoch"], state["batch"]

    def rows(self) -> Tensor:
        """Return the rows of the arrays (samples,) in the order of this epoch, for a program that reads them itself."""
        order = self._order().to(self.split.targets.device)
        return order if self.split.indices is None else self.split.indices[order]

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        if self.seed is None or self.batch >= len(self):  # only a training continues within a pass
            self.batch = 0
        order = self._order()
        lengths = None if self.lengths is None else self.lengths[order]
        order = order.to(self.split.targets.device)
        while self.batch < len(self):
            start = self.batch * self.batch_size
            batch = slice(start, min(start + self.batch_size, self.num_samples))
            self.batch += 1
            longest = None if lengths is None else int(lengths[batch].max())
            yield self._take(self._part_of_rank(order[batch]), longest)

    def _part_of_rank(self, indices: Tensor) -> Tensor:
        """Return this rank's part of a batch; a rank keeps its streams after other streams have ended."""
        if self.split.consecutive:
            per_rank = self.batch_size // self.world_size
            return indices[self.rank * per_rank : (self.rank + 1) * per_rank]
        return indices.tensor_split(self.world_size)[self.rank]

    def _order(self) -> Tensor:
        random = None if self.seed is None else generator(self.seed, "order", self.epoch * self.reshuffle)
        if self.split.consecutive:
            order = self._streams(random)
        elif random is None:
            order = torch.arange(len(self.split))
        elif self.balanced:
            order = self._balanced(random)
        else:
            order = torch.randperm(len(self.split), generator=random)
        if random is not None and self.lengths is not None:
            order = by_length(order, self.lengths, self.batch_size, random)
        return order

    def _balanced(self, random: torch.Generator) -> Tensor:
        """Draw an order with equally many samples of each class; each sample of a class occurs before one repeats."""
        targets = self.split.own_targets
        members = [(targets == label).nonzero()[:, 0].cpu() for label in targets.unique()]
        per_class = -(-len(self.split) // len(members))

        def draw(samples: Tensor) -> Tensor:
            rounds = -(-per_class // len(samples))
            orders = [samples[torch.randperm(len(samples), generator=random)] for _ in range(rounds)]
            return torch.cat(orders)[:per_class]

        order = torch.cat([draw(samples) for samples in members])
        return order[torch.randperm(len(order), generator=random)][: len(self.split)]

    def _streams(self, random: torch.Generator | None) -> Tensor:
        """Return an order whose element i + batch_size is the sample after that of element i."""
        num_samples = len(self.split)
        begin = 0 if random is None else int(torch.randint(num_samples, (), generator=random))
        samples = (torch.arange(num_samples) + begin) % num_samples
        streams = samples.tensor_split(min(self.batch_size, num_samples))  # the first streams may be longer by one
        shortest = len(streams[-1])
        full = torch.stack([stream[:shortest] for stream in streams], dim=1).flatten()
        return torch.cat([full, *(stream[shortest:] for stream in streams)])

    def _take(self, indices: Tensor, longest: int | None) -> tuple[Tensor, Tensor]:
        inputs, targets = self.split.take(indices)
        if longest is not None:
            inputs = inputs[:, :longest].contiguous()
        if self.device.type == "cuda" and inputs.device.type == "cpu":
            inputs, targets = inputs.pin_memory(), targets.pin_memory()
        return inputs.to(self.device, non_blocking=True), targets.to(self.device, non_blocking=True)


def _on_device(split: Split, device: torch.device) -> Split:
    """Return the split on the device if it fits into half of the free memory, else the split itself."""
    if device.type == "cpu":
        return split
    num_bytes = len(split) * split.inputs[0].nbytes
    if device.type == "cuda" and 2 * num_bytes > torch.cuda.mem_get_info(device)[0]:
        return split
    return split.to(device)
