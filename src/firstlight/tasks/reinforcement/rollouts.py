"""Roll-outs: what an agent finds with one policy, and how much better each action was than expected."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from firstlight.data.environments.player import Round
from firstlight.randomness import generator
from firstlight.tasks.reinforcement.loader import PlayedBatches

# Draws actions for observations (batch, columns), and returns them with the logarithms of their probabilities.
Decide = Callable[[Tensor, torch.Generator], tuple[Tensor, Tensor]]
# Returns the value of observations (batch, columns), as (batch,).
Judge = Callable[[Tensor], Tensor]


class Decisions(NamedTuple):
    """Actions of one policy, and how good they were.

    Attributes:
        observations: before the action, (batch, columns).
        actions: (batch,), int64.
        log_probabilities: of the actions, with the policy that has drawn them, (batch,).
        advantages: how much more followed than was expected, (batch,).
        goals: the values that should have been expected, (batch,).
        returns: of the episodes that are over since the batch before, (episodes,).
    """

    observations: Tensor
    actions: Tensor
    log_probabilities: Tensor
    advantages: Tensor
    goals: Tensor
    returns: Tensor


def advantages_of(
    rewards: Tensor, values: Tensor, next_values: Tensor, ended: Tensor, over: Tensor, discount: float, trace: float
) -> Tensor:
    """Return the generalised advantages of each step (Schulman et al. 2016, equation 16).

    Args:
        rewards: (steps, environments).
        values: the value before each step, (steps, environments).
        next_values: the value after each step, (steps, environments).
        ended: 1 where nothing can follow.
        over: 1 where the next step belongs to another episode.
        discount: weight of the next reward.
        trace: 0 compares a reward with the value that follows; 1 sums all rewards up to the end of the roll-out.
    """
    errors = rewards + discount * (1 - ended) * next_values - values
    found, following = torch.zeros_like(errors), torch.zeros_like(errors[0])
    for step in reversed(range(len(errors))):
        following = errors[step] + discount * trace * (1 - over[step]) * following
        found[step] = following
    return found


class RolloutBatches(PlayedBatches):
    """Plays a roll-out, divides it into batches, and repeats them in another order for each pass.

    Args:
        decide: draws the actions.
        judge: says the value of observations.
        horizon: steps in each environment.
        passes: how often each roll-out is learned from.
        discount: see `advantages_of`.
        trace: see `advantages_of`.
        arguments: see `PlayedBatches`.
    """

    def __init__(
        self,
        decide: Decide,
        judge: Judge,
        *,
        horizon: int,
        passes: int,
        discount: float,
        trace: float,
        **arguments: Any,
    ) -> None:
        super().__init__(**arguments)
        self.decide = decide
        self.judge = judge
        self.horizon = horizon
        self.discount = discount
        self.trace = trace
        self.batches_per_pass = horizon * len(self.split) // self.batch_size
        self.batches_per_rollout = passes * self.batches_per_pass
        self._rollout: list[Tensor] = []

    def next_batch(self, random: torch.Generator) -> Decisions:
        """Return a part of the roll-out; play a new one if it has been used up."""
        if self.batch % self.batches_per_rollout == 0:
            self._rollout = self._play(random)
        number, place = divmod(self.batch, self.batches_per_pass)
        random = generator(self.run_seed, "pass", self.epoch, number)
        order = torch.randperm(len(self._rollout[0]), generator=random)
        chosen = order[place * self.batch_size : (place + 1) * self.batch_size]
        return Decisions._make([*(part[chosen] for part in self._rollout), self.player.take_finished()])

    def _play(self, random: torch.Generator) -> list[Tensor]:
        """Return the first five parts of `Decisions`, for all steps of a roll-out."""
        seen, chosen, rounds = [], [], []
        for _ in range(self.horizon):
            seen.append(self.player.observations)
            chosen.append(self.decide(seen[-1], random))
            rounds.append(self.player.step(chosen[-1][0]))
        observations = torch.stack(seen)
        found = Round(*(torch.stack(parts) for parts in zip(*rounds, strict=True)))
        actions, log_probabilities = (torch.stack(parts) for parts in zip(*chosen, strict=True))
        values, next_values = self._values(observations), self._values(found.next_observations)
        options = self.discount, self.trace
        advantages = advantages_of(found.rewards, values, next_values, found.ended, found.over, *options)
        parts = observations, actions, log_probabilities, advantages, advantages + values
        return [part.flatten(0, 1) for part in parts]

    def _values(self, observations: Tensor) -> Tensor:
        """Return the values (steps, environments) of observations (steps, environments, columns)."""
        return self.judge(observations.flatten(0, 1)).reshape(observations.shape[:2])

    def state_dict(self) -> dict[str, Any]:
        """Return the position in the epoch, the state of the environments, and the roll-out that is learned from."""
        return super().state_dict() | {"rollout": self._rollout}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where `state_dict` was called."""
        super().load_state_dict(state)
        self._rollout = state["rollout"]
