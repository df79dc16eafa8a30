"""The schedules of a run: built for its optimizers, stepped after each epoch, and restored from a checkpoint."""

import math
from typing import Any

from lightning.pytorch import Trainer
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from firstlight.config import RunConfig
from firstlight.training.schedulers.bound import BoundScheduler
from firstlight.training.schedulers.protocol import RunLength


class Schedules:
    """The schedulers of all optimizers of a run.

    Lightning steps the schedulers that count steps, and holds their states. It would step the others after the
    checkpoint of the epoch, so that a resumed run would lose an epoch. This object steps those, and holds their states.

    Args:
        config: the config of the run.
        mode: "min" or "max", the direction in which `monitor` improves.

    Attributes:
        length: the length of the run in steps; None before `configure`.

    Raises:
        ValueError: the node `scheduler` is refused.
    """

    def __init__(self, config: RunConfig, mode: str) -> None:
        self.config = config
        self.mode = mode
        self.scheduler = BoundScheduler(config.scheduler)
        self._by_epoch: list[LRScheduler] = []
        self.length: RunLength | None = None
        self._saved: dict[str, Any] = {}  # from a checkpoint, until the schedulers exist

    def rehearse(self, optimizer: Optimizer) -> None:
        """Report wrong options before the run, see `BoundScheduler.rehearse`."""
        self.scheduler.rehearse(optimizer)

    def configure(self, optimizers: list[Optimizer], trainer: Trainer, num_batches: int) -> Any:
        """Build the schedulers, and return what `configure_optimizers` of a LightningModule returns.

        Args:
            optimizers: the optimizers, with their highest learning rates.
            trainer: the Trainer, which knows the length of the run.
            num_batches: training batches of an epoch. If `max_epochs` is -1, Lightning knows their number only later.
        """
        length = self.length = self._run_length(trainer, num_batches)
        schedulers = [self.scheduler(optimizer, length) for optimizer in optimizers]
        if self.scheduler.counts_epochs(schedulers[0]):
            self._by_epoch = schedulers
            return optimizers
        return optimizers, [{"scheduler": scheduler, "interval": "step"} for scheduler in schedulers]

    def _run_length(self, trainer: Trainer, num_batches: int) -> RunLength:
        limit = trainer.limit_train_batches
        num_batches = min(num_batches, limit) if isinstance(limit, int) else int(num_batches * limit)
        total_steps = trainer.estimated_stepping_batches  # considers accumulation and max_epochs
        if self.config.max_steps is not None:
            total_steps = min(total_steps, self.config.max_steps)
        return RunLength(total_steps, math.ceil(num_batches / trainer.accumulate_grad_batches), self.mode)

    def step_epoch(self, metrics: dict[str, float]) -> None:
        """Step the schedulers that count epochs; those that follow `monitor` only if the epoch has its value."""
        for scheduler in self._by_epoch:
            if not isinstance(scheduler, ReduceLROnPlateau):
                scheduler.step()
            elif self.config.monitor in metrics:
                scheduler.step(metrics[self.config.monitor])

    def save(self, checkpoint: dict[str, Any]) -> None:
        """Add what Lightning does not save to a checkpoint, if there are schedulers."""
        if self.length is not None:
            states = [scheduler.state_dict() for scheduler in self._by_epoch]
            checkpoint["schedules"] = {"steps": self.length.total_steps, "by_epoch": states}

    def load(self, checkpoint: dict[str, Any]) -> None:
        """Keep what `save` added, until `restore`, and prepare the states that Lightning restores."""
        self._saved = checkpoint.get("schedules", {})
        for state in checkpoint.get("lr_schedulers", ()):  # the length of the run may be another one now
            for name in ("total_steps", "_schedule_phases"):  # of OneCycleLR
                state.pop(name, None)

    def restore(self, trainer: Trainer) -> None:
        """Restore the schedulers that count epochs, and put those that depend on the run's length at their place."""
        if not self._saved:
            return
        for scheduler, state in zip(self._by_epoch, self._saved["by_epoch"], strict=True):
            scheduler.load_state_dict(state)
        assert self.length is not None
        if self._saved["steps"] != self.length.total_steps and self.scheduler.depends_on_length:
            by_step = [config.scheduler for config in trainer.lr_scheduler_configs]
            num_steps = trainer.current_epoch if self._by_epoch else trainer.global_step
            for scheduler, optimizer in zip(self._by_epoch or by_step, trainer.optimizers, strict=True):
                self.scheduler.replay(scheduler, optimizer, self.length, num_steps)
        self._saved = {}
