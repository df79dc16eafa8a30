"""Play episodes: several environments at the same time, with a policy that chooses the action in each."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from firstlight.data.environments.opening import open_environment
from firstlight.randomness import derive

Policy = Callable[[Tensor], Tensor]
"""Chooses an action (environments,), int64, for each observation (environments, columns), float32, on the CPU."""


class Round(NamedTuple):
    """One step in each environment.

    Attributes:
        next_observations: what the steps have led to, (environments, columns), float32.
        rewards: their rewards, (environments,), float32.
        ended: 1 where the episode has ended by itself, so that nothing can follow, (environments,), float32.
        over: 1 where an episode is over, because it has ended or has reached its limit of steps, float32.
    """

    next_observations: Tensor
    rewards: Tensor
    ended: Tensor
    over: Tensor


class Player:
    """Plays one episode after another in several environments.

    Gymnasium's environments draw random numbers only from the generator that a reset seeds. So their state follows from
    the seed of the episode and the actions since, whatever the environment, and `state_dict` holds these alone.

    Args:
        environment: the id of the environment, see `open_environment`.
        seeds: a seed for each environment, from which the seeds of its episodes follow.

    Attributes:
        observations: what the agent sees now, (environments, columns), float32.
        finished: the return of each episode that is over, until `take_finished` takes them.
    """

    def __init__(self, environment: str, seeds: Sequence[int]) -> None:
        self._environments = [open_environment(environment) for _ in seeds]
        self._first_action = int(self._environments[0].action_space.start)
        self._seeds = seeds
        self._episodes = [0] * len(seeds)
        self._actions: list[list[int]] = [[] for _ in seeds]
        self._returns = [0.0] * len(seeds)
        self.finished: list[float] = []
        self.observations = as_tensor([self._reset(index) for index in range(len(seeds))])

    def step(self, actions: Tensor) -> Round:
        """Take one action (environments,) in each environment. An episode that is over is followed by the next."""
        steps = [self._step(index, action) for index, action in enumerate(actions.tolist())]
        seen, *numbers = (as_tensor(parts) for parts in zip(*steps, strict=True))
        found = Round(seen, *numbers)
        self.observations = seen.clone()
        for index in found.over.nonzero()[:, 0].tolist():
            self.finished.append(self._returns[index])
            self._episodes[index] += 1
            self.observations[index] = torch.from_numpy(self._reset(index))
        return found

    def take_finished(self) -> Tensor:
        """Return the returns of the episodes that are over since the last call, (episodes,), float32."""
        found, self.finished = self.finished, []
        return torch.tensor(found, dtype=torch.float32)

    def state_dict(self) -> dict[str, Any]:
        """Return the number of the episode in each environment, its actions so far, and `finished`."""
        actions = [torch.tensor(each, dtype=torch.int64) for each in self._actions]
        return {"episodes": [*self._episodes], "actions": actions, "finished": [*self.finished]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Play the episodes again up to where `state_dict` was called."""
        self._episodes = [*state["episodes"]]
        self.finished = [*state["finished"]]
        for index, actions in enumerate(state["actions"]):
            seen = self._reset(index)
            for action in actions.tolist():
                seen = self._step(index, action)[0]
            self.observations[index] = torch.from_numpy(seen)

    def _reset(self, index: int) -> np.ndarray:
        self._actions[index], self._returns[index] = [], 0.0
        seed = derive(self._seeds[index], "episode", self._episodes[index])
        return as_row(self._environments[index].reset(seed=seed)[0])

    def _step(self, index: int, action: int) -> tuple[np.ndarray, float, float, float]:
        seen, reward, ended, stopped, _ = self._environments[index].step(self._first_action + action)
        self._actions[index].append(action)
        self._returns[index] += float(reward)
        return as_row(seen), float(reward), float(ended), float(ended or stopped)


def play(environment: str, seeds: Sequence[int], policy: Policy) -> Tensor:
    """Play an episode from each of these seeds to its end, and return the sum of its rewards: (episodes,), float64."""
    environments = [open_environment(environment) for _ in seeds]
    seen = [as_row(each.reset(seed=seed)[0]) for each, seed in zip(environments, seeds, strict=True)]
    returns, running = [0.0] * len(seeds), list(range(len(seeds)))
    while running:
        actions = policy(as_tensor([seen[index] for index in running])).tolist()
        for index, action in zip(tuple(running), actions, strict=True):
            first = int(environments[index].action_space.start)
            observation, reward, ended, stopped, _ = environments[index].step(first + action)
            seen[index] = as_row(observation)
            returns[index] += float(reward)
            if ended or stopped:
                running.remove(index)
    return torch.tensor(returns, dtype=torch.float64)


def as_row(observation: Any) -> np.ndarray:
    """Return an observation as an array (columns,), float32, which later steps do not change."""
    return np.array(observation, dtype=np.float32)


def as_tensor(parts: Sequence[Any]) -> Tensor:
    """Return numbers, or arrays of the same shape, as one tensor (parts, ...), float32."""
    return torch.from_numpy(np.array(parts, dtype=np.float32))
