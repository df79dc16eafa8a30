"""The short training of a range test, on a copy of the task."""

import copy
import itertools
import math
from collections.abc import Iterator
from typing import Any

import torch
from lightning.pytorch import Trainer
from torch import Tensor
from torch.optim import Optimizer

from firstlight.config import RunConfig
from firstlight.data import BatchLoader
from firstlight.randomness import derive, reseed
from firstlight.tasks import Batch, Task
from firstlight.training.optimizers import BoundOptimizer
from firstlight.training.range_test.curve import Curve
from firstlight.training.regularisation import Weights, limit_norms, penalty

_LOWEST, _HIGHEST, _NUM_STEPS = 1e-7, 10.0, 100
_DIVERGED = 4.0  # times the lowest loss, which fast.ai takes too
_LATEST = 5  # steps whose mean loss decides


def find_curve(task: Task, config: RunConfig, loader: BatchLoader, trainer: Trainer) -> Curve:
    """Train a copy of a task with a learning rate that grows from 1e-7 to 10 in 100 steps, or until the loss diverges.

    The steps are those of the run: its batches, augmentation, penalties, accumulation, precision, clipping and largest
    norm. Its scheduler is ignored. The losses contain the penalties. Neither the task nor the random generators change.

    Args:
        task: the untrained task.
        config: the config of the run.
        loader: the training batches.
        trainer: the Trainer of the run, whose device and precision are used.

    Raises:
        ValueError: the optimizer has no learning rate.
    """
    device, position = trainer.strategy.root_device, loader.state_dict()
    with torch.random.fork_rng([device] if device.type == "cuda" else [], device_type="cuda"):
        try:
            return _Steps(copy.deepcopy(task).to(device).train(), config, loader, trainer).run()
        finally:
            loader.load_state_dict(position)


class _Steps:
    """The copy of the task, its optimizer, and its batches."""

    def __init__(self, task: Task, config: RunConfig, loader: BatchLoader, trainer: Trainer) -> None:
        self.task, self.config, self.loader, self.trainer = task, config, loader, trainer
        task.freezing.begin_epoch(0)
        (self.optimizer,) = BoundOptimizer(config)(task)
        self.options = config.regularisation
        self.weights = Weights(task.network, self.options.penalised)
        self._limit_norms()  # now, because the fall of the loss by the first limit says nothing of a learning rate
        self.scaler = torch.amp.GradScaler(task.device.type, enabled=config.precision == "16-mixed")
        self.meter = task.new_meter()

    def run(self) -> Curve:
        lrs: list[float] = []
        losses: list[float] = []
        growth = (_HIGHEST / _LOWEST) ** (1 / (_NUM_STEPS - 1))
        first = [group["lr"] for group in self.optimizer.param_groups]
        base = learning_rate(self.optimizer)
        lowest = math.inf
        for step, batches in zip(range(_NUM_STEPS), self._batches(), strict=False):
            lr = _LOWEST * growth**step
            for group, own in zip(self.optimizer.param_groups, first, strict=True):
                group["lr"] = own * lr / base  # groups keep their ratios
            reseed(derive(self.config.seed, "range_test", step), self.task.device)
            loss = self._step(batches)
            if not math.isfinite(loss):
                break
            lrs.append(lr)
            losses.append(loss)
            latest = sum(losses[-_LATEST:]) / len(losses[-_LATEST:])
            lowest = min(lowest, latest)
            if latest > _DIVERGED * lowest > 0:
                break
        return Curve(lrs, losses)

    def _batches(self) -> Iterator[list[Batch]]:
        """Yield the batches of each step: several if the run accumulates gradients, one epoch after the other."""
        number = self.trainer.accumulate_grad_batches
        limit = self.trainer.limit_train_batches
        each_epoch = int(limit * len(self.loader)) if isinstance(limit, float) else limit
        for epoch in itertools.count():
            self.loader.set_epoch(epoch)
            batches = itertools.islice(self.loader, each_epoch)
            while found := list(itertools.islice(batches, number)):
                yield found
            self.loader.load_state_dict({"epoch": epoch, "batch": 0})

    def _step(self, batches: list[Batch]) -> float:
        """Take a step, and return the loss before it."""
        self.optimizer.zero_grad()
        total, mean = sum(len(targets) for _, targets in batches), 0.0
        for batch in batches:
            with self.trainer.precision_plugin.train_step_context():
                loss = self._penalised(self.task.batch_loss(batch, self.meter)) * (len(batch[1]) / total)
            self.scaler.scale(loss).backward()
            mean += float(loss.detach())
        self.scaler.unscale_(self.optimizer)
        self._clip()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self._limit_norms()
        return mean

    def _limit_norms(self) -> None:
        if self.options.max_norm is not None:
            limit_norms(self.weights, self.task.network, self.options.max_norm)

    def _penalised(self, loss: Tensor) -> Tensor:
        weights = list(self.weights.of(self.task.network)) if self.options.has_penalty else []
        return loss + penalty(weights, self.options) if weights else loss

    def _clip(self) -> None:
        options: dict[str, Any] = self.config.trainer
        limit, parameters = options.get("gradient_clip_val"), list(self.task.parameters())
        if limit and options.get("gradient_clip_algorithm") == "value":
            torch.nn.utils.clip_grad_value_(parameters, limit)
        elif limit:
            torch.nn.utils.clip_grad_norm_(parameters, limit)


def learning_rate(optimizer: Optimizer) -> float:
    """Return the learning rate of the config, which those of the groups are multiples of.

    Raises:
        ValueError: there is none.
    """
    lr = optimizer.defaults.get("lr")
    if not lr:
        raise ValueError("lr_find=true: must be used with an optimizer whose option lr is above 0.")
    return float(lr)
