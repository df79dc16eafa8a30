"""The replay memory: what an agent has found lately, from which it learns in random order (Lin 1992)."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from firstlight.tasks.reinforcement.loader import PlayedBatches

# Chooses actions for observations, given the number of steps so far and a source of random numbers.
Explore = Callable[[Tensor, int, torch.Generator], Tensor]


class Transitions(NamedTuple):
    """What single steps have led to, in any order.

    Attributes:
        observations: before the step, (batch, columns).
        actions: (batch,), int64.
        rewards: (batch,).
        next_observations: after the step, (batch, columns).
        ended: 1 where nothing can follow, see `Round`, (batch,).
        returns: of the episodes that are over since the batch before, (episodes,).
    """

    observations: Tensor
    actions: Tensor
    rewards: Tensor
    next_observations: Tensor
    ended: Tensor
    returns: Tensor


class Memory:
    """Keeps the latest steps, and forgets the oldest for new ones.

    Args:
        size: number of steps that it holds.
        num_columns: length of an observation.
    """

    def __init__(self, size: int, num_columns: int) -> None:
        self.size = size
        self.num_added = 0
        seen, numbers = (size, num_columns), (size,)
        self._parts = [torch.zeros(shape) for shape in (seen, numbers, numbers, seen, numbers)]
        self._parts[1] = self._parts[1].long()  # the actions

    def __len__(self) -> int:
        return min(self.num_added, self.size)

    def add(self, *parts: Tensor) -> None:
        """Add steps: the first five parts of `Transitions`."""
        places = (self.num_added + torch.arange(len(parts[0]))) % self.size
        for kept, part in zip(self._parts, parts, strict=True):
            kept[places] = part
        self.num_added += len(parts[0])

    def draw(self, number: int, random: torch.Generator) -> list[Tensor]:
        """Return the parts of so many steps, each drawn from all that are kept."""
        places = torch.randint(len(self), (number,), generator=random)
        return [part[places] for part in self._parts]

    def state_dict(self) -> dict[str, Any]:
        """Return the steps that are kept, and the number of all that were added."""
        return {"num_added": self.num_added, "parts": [part[: len(self)] for part in self._parts]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.num_added = state["num_added"]
        for kept, part in zip(self._parts, state["parts"], strict=True):
            kept[: len(part)] = part


class ReplayBatches(PlayedBatches):
    """Takes some steps in each environment for each batch, and draws the batch from its memory.

    Args:
        explore: chooses the actions.
        memory: keeps what they lead to.
        warm_up: steps over all environments before the first batch.
        rounds: steps in each environment before each further batch.
        arguments: see `PlayedBatches`.
    """

    def __init__(self, explore: Explore, memory: Memory, *, warm_up: int, rounds: int, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.explore = explore
        self.memory = memory
        self.warm_up = warm_up
        self.rounds = rounds

    def next_batch(self, random: torch.Generator) -> Transitions:
        """Play, and return steps that are drawn from the memory."""
        for _ in range(self.rounds):
            self._play(random)
        while self.memory.num_added < self.warm_up:
            self._play(random)
        return Transitions._make([*self.memory.draw(self.batch_size, random), self.player.take_finished()])

    def _play(self, random: torch.Generator) -> None:
        observations = self.player.observations
        actions = self.explore(observations, self.memory.num_added, random)
        found = self.player.step(actions)
        self.memory.add(observations, actions, found.rewards, found.next_observations, found.ended)

    def state_dict(self) -> dict[str, Any]:
        """Return the position in the epoch, the state of the environments, and the memory."""
        return super().state_dict() | {"memory": self.memory.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where `state_dict` was called."""
        super().load_state_dict(state)
        self.memory.load_state_dict(state["memory"])
