"""Batches by index from whole arrays."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from firstlight.data.store import Split
from firstlight.randomness import generator


class BatchLoader:
    """Yields (inputs, targets) of one split, on the device, `batch_size` samples over all ranks at a time.

    The order of an epoch follows from the seed and the epoch alone. All ranks walk through one order and share
    each batch, so that training does not depend on how many devices there are; where the samples of the last
    batch cannot be shared evenly, a training loader drops the few that are over, and any other gives some ranks
    one more. The arrays move to an accelerator once, where they take less than half of its free memory.

    Consecutive samples stay so: a batch holds one sample of each of `batch_size` streams, and the next batch what
    follows each of them. In training, the seed and the epoch say where the first stream begins.

    Where classes are to be balanced, an epoch has as many samples as otherwise, equally many of each class: some of
    the frequent ones are left out, and those of rare ones come several times.

    Args:
        split: the samples.
        batch_size: samples of one batch over all ranks.
        seed: of the order; None keeps the order of the split, and every sample.
        balanced: whether all classes come equally often; of an order that is drawn.
        device: where the batches are wanted.
        rank: index of this process.
        world_size: number of processes.

    Raises:
        ValueError: `batch_size` cannot be shared evenly by the ranks.
    """

    def __init__(
        self,
        split: Split,
        batch_size: int,
        *,
        seed: int | None = None,
        balanced: bool = False,
        device: torch.device | str = "cpu",
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        if batch_size % world_size:
            raise ValueError(f"data.batch_size={batch_size} cannot be shared evenly by {world_size} devices.")
        self.device = torch.device(device)
        self.split = _on_device(split, self.device)
        self.batch_size = batch_size
        self.seed = seed
        self.balanced = balanced
        self.rank = rank
        self.world_size = world_size
        self.epoch = 0
        self.batch = 0  # batches of this epoch that were handed out

    @property
    def num_samples(self) -> int:
        """Samples of an epoch over all ranks."""
        if self.seed is None or self.world_size == 1:
            return len(self.split)
        # Every rank has to take part in every step of a training.
        return len(self.split) - len(self.split) % (self.batch_size if self.split.consecutive else self.world_size)

    def __len__(self) -> int:
        return -(-self.num_samples // self.batch_size)

    def set_epoch(self, epoch: int) -> None:
        """Begin an epoch; one that has begun already goes on where it was."""
        if epoch != self.epoch:
            self.epoch, self.batch = epoch, 0

    def state_dict(self) -> dict[str, Any]:
        """The place in the epoch: what is needed to go on with the very next batch."""
        return {"epoch": self.epoch, "batch": self.batch}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up the place that `state_dict` told."""
        self.epoch, self.batch = state["epoch"], state["batch"]

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        if self.batch >= len(self):
            self.batch = 0
        order = self._order()
        while self.batch < len(self):
            start = self.batch * self.batch_size
            indices = order[start : min(start + self.batch_size, self.num_samples)]
            self.batch += 1
            yield self._take(self._share(indices))

    def _share(self, indices: Tensor) -> Tensor:
        """This rank's part of a batch; a rank keeps its streams when some of them have ended."""
        if self.split.consecutive:
            per_rank = self.batch_size // self.world_size
            return indices[self.rank * per_rank : (self.rank + 1) * per_rank]
        return indices.tensor_split(self.world_size)[self.rank]

    def _order(self) -> Tensor:
        random = None if self.seed is None else generator(self.seed, "order", self.epoch)
        if self.split.consecutive:
            order = self._streams(random)
        elif random is None:
            order = torch.arange(len(self.split))
        elif self.balanced:
            order = self._balanced(random)
        else:
            order = torch.randperm(len(self.split), generator=random)
        return order.to(self.split.targets.device)

    def _balanced(self, random: torch.Generator) -> Tensor:
        """As many samples as there are, equally many of each class: each has all of its own before one comes again."""
        targets = self.split.own_targets
        members = [(targets == label).nonzero()[:, 0].cpu() for label in targets.unique()]
        share = -(-len(self.split) // len(members))

        def drawn(of_class: Tensor) -> Tensor:
            rounds = -(-share // len(of_class))
            return torch.cat([of_class[torch.randperm(len(of_class), generator=random)] for _ in range(rounds)])[:share]

        order = torch.cat([drawn(of_class) for of_class in members])
        return order[torch.randperm(len(order), generator=random)][: len(self.split)]

    def _streams(self, random: torch.Generator | None) -> Tensor:
        """The samples in an order in which number i + batch_size comes right after number i in the data."""
        num_samples = len(self.split)
        begin = 0 if random is None else int(torch.randint(num_samples, (), generator=random))
        samples = (torch.arange(num_samples) + begin) % num_samples
        streams = samples.tensor_split(min(self.batch_size, num_samples))  # the first ones are longer by one
        shortest = len(streams[-1])
        full = torch.stack([stream[:shortest] for stream in streams], dim=1).flatten()
        return torch.cat([full, *(stream[shortest:] for stream in streams)])

    def _take(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        inputs, targets = self.split.take(indices)
        if self.device.type == "cuda" and inputs.device.type == "cpu":
            inputs, targets = inputs.pin_memory(), targets.pin_memory()
        return inputs.to(self.device, non_blocking=True), targets.to(self.device, non_blocking=True)


def _on_device(split: Split, device: torch.device) -> Split:
    """The split on the device where it fits, else as it is."""
    if device.type == "cpu":
        return split
    num_bytes = len(split) * split.inputs[0].nbytes
    if device.type == "cuda" and 2 * num_bytes > torch.cuda.mem_get_info(device)[0]:
        return split
    return split.to(device)
