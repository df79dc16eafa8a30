"""Batches of what an agent finds while it plays."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any

import torch

from firstlight.data import BatchLoader, Split
from firstlight.data.environments.player import Player
from firstlight.randomness import generator


class PlayedBatches(BatchLoader):
    """Plays in the environments of a split, and yields what the agent has found there, as batches to learn from.

    The agent plays with the weights of the last step, so the loader must yield no batch before the step is taken. What
    it draws follows from the seed, the epoch and the batch alone, and `state_dict` holds what the environments have
    come to. So a run that is resumed continues exactly.

    Args:
        split: a sample for each environment, see `data.Environment`.
        batch_size: samples of a batch.
        environment: the id of the environment.
        num_batches: the batches of an epoch.
        seed: the seed of the run.
        device: device of the batches.
    """

    def __init__(
        self,
        split: Split,
        batch_size: int,
        *,
        environment: str,
        num_batches: int,
        seed: int,
        device: torch.device | str = "cpu",
    ) -> None:
        super().__init__(split, batch_size, seed=seed, device=device)
        self.num_batches = num_batches
        self.run_seed = seed
        self.player = Player(environment, split.own_targets[:, 0].tolist())

    @property
    def num_samples(self) -> int:
        """Number of samples that an epoch learns from, each as often as it is used."""
        return self.num_batches * self.batch_size

    @abstractmethod
    def next_batch(self, random: torch.Generator) -> Any:
        """Play, and return the next batch: a named tuple of tensors that a loss takes, observations first."""

    def state_dict(self) -> dict[str, Any]:
        """Return the position in the epoch and the state of the environments."""
        return super().state_dict() | {"player": self.player.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where `state_dict` was called."""
        super().load_state_dict(state)
        self.player.load_state_dict(state["player"])

    def __iter__(self) -> Iterator[Any]:
        if self.batch >= len(self):
            self.batch = 0
        while self.batch < len(self):
            batch = self.next_batch(generator(self.run_seed, "play", self.epoch, self.batch))
            self.batch += 1
            yield type(batch)(*(part.to(self.device) for part in batch))
