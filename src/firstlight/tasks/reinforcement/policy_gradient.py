"""Policy gradients: the network predicts the probability of each action."""

from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from firstlight.augment import Augment
from firstlight.checks import check_range
from firstlight.config.options import Transfer
from firstlight.data import BatchLoader, Split
from firstlight.spec import DataSpec
from firstlight.tasks.reinforcement.agent import Agent
from firstlight.tasks.reinforcement.rollouts import Decisions, RolloutBatches


class PolicyGradient(Agent):
    """Makes actions that were better than expected likelier: proximal policy optimization (PPO, Schulman et al. 2017).

    The network has an output for each action, whose softmax is the policy, and one for the value of the observation:
    the discounted return that is expected. The agent plays a roll-out with the policy, and learns from it in several
    passes. An action counts by its advantage over the value, see `rollouts.advantages_of`. Where its probability has
    changed by more than `clip`, it counts no longer, so the policy stays close to the one that has played.

    With `clip=null passes=1 trace=1`, the task is REINFORCE with a learned baseline (Williams 1992): the loss is the
    logarithm of the probability, times the advantage.

    Args:
        spec: see `Agent`.
        network: has an output for each action, and one for the value.
        augment: see `Agent`.
        transfer: see `Agent`.
        discount: see `Agent`.
        steps_per_epoch: see `Agent`.
        horizon: steps in each environment of a roll-out.
        passes: how often each roll-out is learned from.
        trace: how far a reward counts for the actions before it: 0 for one step, 1 for all of the roll-out.
        clip: largest change of a probability, relative to that of the roll-out, that counts; None for any.
        value_weight: weight of the squared error of the value in the loss.
        entropy_weight: weight of the policy's entropy, which the loss rewards so that the agent keeps trying.

    Raises:
        ValueError: the data is no environment, or an option is out of its range.
    """

    task_name = "policy_gradient"
    batch_type = Decisions

    def __init__(
        self,
        spec: DataSpec,
        network: nn.Module,
        augment: Augment,
        transfer: Transfer | None = None,
        *,
        discount: float = 0.99,
        steps_per_epoch: int = 4096,
        horizon: int = 64,
        passes: int = 8,
        trace: float = 0.95,
        clip: float | None = 0.2,
        value_weight: float = 0.5,
        entropy_weight: float = 0.0,
    ) -> None:
        super().__init__(spec, network, augment, transfer, discount=discount, steps_per_epoch=steps_per_epoch)
        for key, value in {"horizon": horizon, "passes": passes}.items():
            check_range(key, value, at_least=1)
        check_range("trace", trace, at_least=0, at_most=1)
        check_range("value_weight", value_weight, at_least=0)
        check_range("entropy_weight", entropy_weight, at_least=0)
        if clip is not None:
            check_range("clip", clip, above=0)
        elif passes > 1:
            raise ValueError(f"passes={passes}: must be 1 with clip=null, because the policy changes with each pass.")
        self.horizon = horizon
        self.passes = passes
        self.trace = trace
        self.clip = clip
        self.value_weight = value_weight
        self.entropy_weight = entropy_weight

    @classmethod
    def network_spec(cls, spec: DataSpec, **options: Any) -> DataSpec:
        """Return the spec with an output more, for the value."""
        return replace(spec, num_outputs=spec.num_outputs + 1, labels=(*spec.labels, "value"))

    def train_loader(
        self, split: Split, batch_size: int | Literal["all"], *, seed: int, reshuffle: bool = True, **place: Any
    ) -> BatchLoader:
        """Return batches of roll-outs; see `Task.train_loader`.

        Raises:
            ValueError: the batches do not divide a roll-out, or an argument does not fit.
        """
        self.check_training(reshuffle, **place)
        steps = self.horizon * len(split)
        if not isinstance(batch_size, int) or steps % batch_size:
            raise ValueError(
                f"data.batch_size={batch_size}: must divide {steps}, the steps of a roll-out: task.horizon="
                f"{self.horizon} in each of {len(split)} environments."
            )
        return RolloutBatches(
            self.decide,
            self.judge,
            horizon=self.horizon,
            passes=self.passes,
            discount=self.discount,
            trace=self.trace,
            split=split,
            batch_size=batch_size,
            environment=self.spec.environment,
            num_batches=self.batches_per_epoch(steps) * self.passes * steps // batch_size,
            seed=seed,
            device=place.get("device", "cpu"),
        )

    def policy(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logarithms of the actions' probabilities (batch, actions), and the output for the value (batch,).

        That output is the value times 1 - discount, which is as large as a usual reward.
        """
        outputs = self.observed(observations)
        return outputs[:, :-1].log_softmax(1), outputs[:, -1]

    def decide(self, observations: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw actions for observations (batch, columns).

        Returns:
            The actions and the logarithms of their probabilities, (batch,) each, on the CPU.
        """
        with self.playing():
            logs = self.policy(observations)[0].cpu()
        actions = torch.multinomial(logs.exp(), 1, generator=random)
        return actions[:, 0], logs.gather(1, actions)[:, 0]

    def judge(self, observations: Tensor) -> Tensor:
        """Return the value of each observation, (batch, columns) -> (batch,), on the CPU."""
        with self.playing():
            return self.policy(observations)[1].cpu() / (1 - self.discount)

    def loss_of(self, batch: Decisions) -> Tensor:
        """Return the mean loss of actions, of their values, and of the policy's entropy, a scalar."""
        logs, values = self.policy(batch.observations)
        chosen = logs.gather(1, batch.actions[:, None])[:, 0]
        value_loss = F.mse_loss(values, batch.goals * (1 - self.discount))
        entropy = -(logs.exp() * logs).sum(1).mean()
        actions_loss = self.actions_loss(chosen, batch.log_probabilities, standardised(batch.advantages))
        return actions_loss + self.value_weight * value_loss - self.entropy_weight * entropy

    def actions_loss(self, logs: Tensor, before: Tensor, advantages: Tensor) -> Tensor:
        """Return the loss of actions (Schulman et al. 2017, equation 7); without `clip`, that of REINFORCE.

        Args:
            logs: the logarithms of their probabilities, (batch,).
            before: the same with the policy of the roll-out, (batch,).
            advantages: (batch,).
        """
        if self.clip is None:
            return -(advantages * logs).mean()
        ratios = (logs - before).exp()
        clipped = ratios.clamp(1 - self.clip, 1 + self.clip)
        return -torch.minimum(ratios * advantages, clipped * advantages).mean()


def standardised(advantages: Tensor) -> Tensor:
    """Return advantages (batch,) with mean 0 and standard deviation 1, so that their scale does not matter."""
    return (advantages - advantages.mean()) / (advantages.std(unbiased=False) + 1e-8)
