"""What tasks of reinforcement learning have in common."""

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from firstlight.augment import Augment
from firstlight.checks import check_range
from firstlight.config.options import Transfer
from firstlight.data.environments.film import film_episode
from firstlight.data.environments.player import play
from firstlight.data.images.animation import Animation
from firstlight.spec import DataSpec
from firstlight.tasks.metrics.meters import Sums, Totals
from firstlight.tasks.metrics.metric import LOSS, Metric
from firstlight.tasks.task import Task

_DROPOUT = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout)


class Agent(Task):
    """Learns to act from the rewards of an environment, see `data.Environment`.

    In training, the agent plays and learns from what it finds; a batch is what a loss needs, see `train_loader`. In
    evaluation, it plays an episode from each sample of a batch to its end, with the best action in each step. The
    metric is the mean return: the sum of the rewards of an episode. `train/return` is that of the episodes that are
    over in an epoch, with the actions that the agent tries.

    Dropout is off in training too, because an agent that forgets a part of its network acts differently each time.

    Args:
        spec: the environment.
        network: has an output for each action; a task may need one more, see `network_spec`.
        augment: turns observations into the network's inputs; it must have no steps.
        transfer: must set neither `head`, `freeze` nor `lr_decay`.
        discount: weight of the reward of the next step, relative to that of this one.
        steps_per_epoch: steps in the environments, over all of them, that an epoch takes.

    Raises:
        ValueError: the data is no environment, an option is out of its range, or samples would be augmented.
    """

    target_kind = "rewards"
    acts = True
    supports_freezing = False
    metrics: tuple[Metric, ...] = (Metric("return", "max"),)
    headline = ("return",)
    sample_suffix = ".gif"
    batch_type: ClassVar[type[Any]] = tuple

    def __init__(
        self,
        spec: DataSpec,
        network: nn.Module,
        augment: Augment,
        transfer: Transfer | None = None,
        *,
        discount: float = 0.99,
        steps_per_epoch: int = 4096,
    ) -> None:
        super().__init__(spec, network, augment, transfer)
        check_range("discount", discount, at_least=0, below=1)
        check_range("steps_per_epoch", steps_per_epoch, at_least=1)
        if augment.has_steps:
            raise ValueError(f"augment: must be none with task={self.task_name}, which learns from what it observes.")
        self._keep_all_units()
        self.discount = discount
        self.steps_per_epoch = steps_per_epoch

    def metrics_of(self, split: str) -> tuple[Metric, ...]:
        """Return the metrics of a split; only the training has a loss, because an evaluation has no goals."""
        return (LOSS, *self.metrics) if split == "train" else super().metrics_of(split)

    def output_shape(self) -> tuple[int, ...]:
        """Return the number of the network's outputs."""
        return (self.network_spec(self.spec).num_outputs,)

    def train(self, mode: bool = True) -> Self:
        """Switch to training or evaluation mode; dropout stays in evaluation mode."""
        super().train(mode)
        self._keep_all_units()
        return self

    def _keep_all_units(self) -> None:
        for module in self.network.modules():
            if isinstance(module, _DROPOUT):
                module.eval()

    @contextmanager
    def playing(self) -> Iterator[None]:
        """Put the task into evaluation mode without gradients, and back."""
        was_training = self.training
        self.eval()
        with torch.no_grad():
            yield
        self.train(was_training)

    def observed(self, observations: Tensor) -> Tensor:
        """Return the network's outputs (batch, outputs) for observations (batch, columns)."""
        return self.network(self.preprocess(observations.to(self.device))).float()

    def best_actions(self, observations: Tensor) -> Tensor:
        """Return the action with the largest output for each observation: (batch, columns) -> (batch,), on the CPU."""
        return self.observed(observations)[:, : self.spec.num_outputs].argmax(1).cpu()

    def new_meter(self) -> Sums:
        """Return a meter at zero, of losses over samples and of returns over episodes."""
        return Sums(("count", "loss", "episodes", "return"), _metrics, self.device)

    @abstractmethod
    def loss_of(self, batch: Any) -> Tensor:
        """Return the mean loss of a batch of the training, see `train_loader`."""

    def batch_loss(self, batch: Any, meter: Sums) -> Tensor:
        """Return the mean loss of a batch of the training.

        For a raw batch, the agent plays the episodes that begin there. What is returned is the negative mean return.
        """
        if isinstance(batch, self.batch_type):
            loss = self.loss_of(batch)
            number = len(batch[0])
            meter.add(count=number, loss=loss * number, episodes=len(batch.returns), **{"return": batch.returns.sum()})
            return loss
        returns = self.play(batch[1])
        meter.add(count=0, loss=0, episodes=len(returns), **{"return": returns.sum()})
        return -returns.mean().float()

    def play(self, seeds: Tensor) -> Tensor:
        """Return the returns (episodes,) of episodes with these seeds (episodes, 1), played with the best actions."""
        with self.playing():
            return play(self.spec.environment, seeds[:, 0].tolist(), self.best_actions)

    @property
    def can_sample(self) -> bool:
        """Whether the trained network generates samples: an episode."""
        return True

    def sample(
        self, prompt: str = "", length: int = 300, temperature: float = 0.8, seed: int = 1, number: int = 64
    ) -> Animation:
        """Return an episode, played with the best actions. Options other than `seed` have no effect."""
        with self.playing():
            return film_episode(self.spec.environment, seed, self.best_actions)

    def check_training(self, reshuffle: bool, world_size: int = 1, **_: Any) -> None:
        """Check the arguments of `train_loader`.

        Raises:
            ValueError: the epochs would have the same batches, or there are several processes.
        """
        if not reshuffle:
            raise ValueError(
                f"trainer.overfit_batches: must be 0 with task={self.task_name}, whose batches all differ."
            )
        if world_size > 1:
            raise ValueError(
                f"trainer.devices={world_size}: must be 1 with task={self.task_name}, which plays in one process."
            )

    def batches_per_epoch(self, steps: int) -> int:
        """Return how often an epoch takes a number of steps in the environments.

        Raises:
            ValueError: an epoch is shorter.
        """
        if self.steps_per_epoch < steps:
            raise ValueError(
                f"task.steps_per_epoch={self.steps_per_epoch}: must be at least {steps}, which the environments take"
                " before the agent learns from them."
            )
        return self.steps_per_epoch // steps


def _metrics(sums: Totals) -> Totals:
    found = {"return": sums["return"] / sums["episodes"] if sums["episodes"] else float("nan")}
    return found | ({"loss": sums["loss"] / sums["count"]} if sums["count"] else {})
