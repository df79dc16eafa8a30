"""Deep Q-learning: the network predicts the return that follows each action."""

import copy
from typing import Any, Literal, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from firstlight.augment import Augment
from firstlight.checks import check_range
from firstlight.config.options import Transfer
from firstlight.data import BatchLoader, Split
from firstlight.spec import DataSpec
from firstlight.tasks.reinforcement.agent import Agent
from firstlight.tasks.reinforcement.replay import Memory, ReplayBatches, Transitions


class DQN(Agent):
    """Deep Q-learning with a replay memory and a target network (Mnih et al. 2015), by default doubled.

    An output of the network is the discounted return that it expects of an action. It learns from single steps, drawn
    from the memory: the goal is the reward, and the discounted value of the best action after it. A copy of the
    network, the target network, says that value; every `target_every` steps it becomes equal to the network. With
    `double`, the network itself chooses that action, so its errors are not taken for value (van Hasselt et al. 2016).
    The loss is Huber's, which is that of Mnih et al. with errors clipped at 1.

    Args:
        spec: see `Agent`.
        network: has an output for each action.
        augment: see `Agent`.
        transfer: see `Agent`.
        discount: see `Agent`.
        steps_per_epoch: see `Agent`.
        double: whether the network chooses the action whose value the target network says.
        target_every: steps of the optimizer between two updates of the target network.
        memory: steps that the memory holds; the oldest are forgotten.
        warm_up: steps at random, over all environments, before the first step of the optimizer.
        rounds: steps in each environment between two steps of the optimizer.
        epsilon: fraction of random actions in the end; it falls from 1 in a straight line.
        epsilon_steps: steps, over all environments, until then.

    Raises:
        ValueError: the data is no environment, or an option is out of its range.
    """

    task_name = "dqn"
    batch_type = Transitions

    def __init__(
        self,
        spec: DataSpec,
        network: nn.Module,
        augment: Augment,
        transfer: Transfer | None = None,
        *,
        discount: float = 0.99,
        steps_per_epoch: int = 4096,
        double: bool = True,
        target_every: int = 200,
        memory: int = 50_000,
        warm_up: int = 1000,
        rounds: int = 1,
        epsilon: float = 0.05,
        epsilon_steps: int = 20_000,
    ) -> None:
        super().__init__(spec, network, augment, transfer, discount=discount, steps_per_epoch=steps_per_epoch)
        for key, value in {"target_every": target_every, "rounds": rounds, "epsilon_steps": epsilon_steps}.items():
            check_range(key, value, at_least=1)
        check_range("memory", memory, at_least=1)
        check_range("warm_up", warm_up, at_least=0)
        check_range("epsilon", epsilon, at_least=0, at_most=1)
        self.is_double = double
        self.target_every = target_every
        self.memory = memory
        self.warm_up = warm_up
        self.rounds = rounds
        self.epsilon = epsilon
        self.epsilon_steps = epsilon_steps
        self.target: nn.Module = copy.deepcopy(network).requires_grad_(False).eval()
        self.register_buffer("num_updates", torch.zeros((), dtype=torch.int64))
        self.num_updates: Tensor

    def train(self, mode: bool = True) -> Self:
        """Switch to training or evaluation mode; the target network stays in evaluation mode."""
        super().train(mode)
        self.target.eval()
        return self

    def train_loader(
        self, split: Split, batch_size: int | Literal["all"], *, seed: int, reshuffle: bool = True, **place: Any
    ) -> BatchLoader:
        """Return batches of single steps, drawn from a replay memory; see `Task.train_loader`."""
        self.check_training(reshuffle, **place)
        return ReplayBatches(
            self.explore,
            Memory(self.memory, self.spec.input_shape[0]),
            warm_up=self.warm_up,
            rounds=self.rounds,
            split=split,
            batch_size=batch_size,
            environment=self.spec.environment,
            num_batches=self.batches_per_epoch(self.rounds * len(split)),
            seed=seed,
            device=place.get("device", "cpu"),
        )

    def exploration(self, num_steps: int) -> float:
        """Return the probability of a random action after so many steps in the environments."""
        progress = max(0, num_steps - self.warm_up) / self.epsilon_steps
        return max(self.epsilon, 1 - (1 - self.epsilon) * progress)

    def explore(self, observations: Tensor, num_steps: int, random: torch.Generator) -> Tensor:
        """Return actions (batch,) for observations (batch, columns): the best or random ones, see `exploration`."""
        with self.playing():
            best = self.best_actions(observations)
        is_random = torch.rand(len(best), generator=random) < self.exploration(num_steps)
        return torch.where(is_random, torch.randint(self.spec.num_outputs, best.shape, generator=random), best)

    def goals(self, batch: Transitions) -> Tensor:
        """Return the discounted return to expect of each step (batch,): its reward, and the value of what follows."""
        with torch.no_grad():
            inputs = self.preprocess(batch.next_observations)
            values = self.target(inputs).float()
            best = self.network(inputs).argmax(1) if self.is_double else values.argmax(1)
            following = values.gather(1, best[:, None])[:, 0]
            return batch.rewards + self.discount * (1 - batch.ended) * following

    def loss_of(self, batch: Transitions) -> Tensor:
        """Return the mean Huber loss of the values of the actions that were taken, a scalar."""
        if int(self.num_updates) % self.target_every == 0:
            self.target.load_state_dict(self.network.state_dict())
        self.num_updates += 1
        values = self.observed(batch.observations).gather(1, batch.actions[:, None])[:, 0]
        return F.huber_loss(values, self.goals(batch))
