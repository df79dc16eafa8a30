"""One of several runs that are trained together: its folder, records and checkpoints, as those of a single run."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from firstlight.data import BatchLoader
from firstlight.log import logger, run_log
from firstlight.tasks.metrics.meters import Meter
from firstlight.training.callbacks import Progress, RunCallback
from firstlight.training.fit import begin_records, report, show_untrained
from firstlight.training.loggers.build import ending
from firstlight.training.module import TrainingModule
from firstlight.training.recovery.loss_guard import Diverged, Place
from firstlight.training.session import Session
from firstlight.training.stacked.checkpoints import KeptCheckpoints
from firstlight.training.trainees.task_trainee import TaskTrainee


@dataclass
class Position:
    """Where a training is: what its callbacks ask a Trainer for.

    Attributes:
        optimizers: the optimizer of the replica.
        checkpoints: keeps what `save_checkpoint` saves.
        strategy: has the device as `root_device`.
        max_epochs: the limit on epochs.
        lightning_module: the module of the replica.
    """

    optimizers: list[Optimizer]
    checkpoints: KeptCheckpoints
    strategy: Any
    max_epochs: int | None
    lightning_module: TrainingModule
    current_epoch: int = 0
    global_step: int = 0
    is_last_batch: bool = False
    should_stop: bool = False
    world_size: int = 1
    is_global_zero: bool = True
    logged_metrics: dict[str, float] = field(default_factory=dict)

    def save_checkpoint(self, path: Any, weights_only: bool = False) -> None:
        """Keep a checkpoint in memory."""
        self.checkpoints.save(self.current_epoch, self.global_step)


class Replica:
    """A run whose steps are computed together with those of others.

    Args:
        session: the parts of the run.

    Attributes:
        folder: its run folder.
        trainee: what it trains.
        task: its task.
        loaders: the batches of each split.
        metrics: the metrics of the latest epoch.
        is_active: whether it still learns. Others stay in the stack, and nothing records them.
    """

    def __init__(self, session: Session) -> None:
        assert isinstance(session.trainee.module, TrainingModule)
        assert isinstance(session.trainee, TaskTrainee)
        self.session = session
        self.trainee = session.trainee
        self.module = session.trainee.module.to(session.trainer.strategy.root_device)
        self.task = self.module.task
        data: Any = session.trainee.data  # `Batches`
        self.loaders: dict[str, BatchLoader] = data.loaders
        self.is_active = True
        self._status = "completed"
        self.folder = folder = session.parts.folder
        self._kept = KeptCheckpoints(folder, session.parts.config, self.task)
        kept: Any = self._kept
        session.checkpoints.folder = kept
        self._callbacks = [
            *session.trainee.callbacks,
            *([session.figures] if session.figures else []),
            session.recorder,
            Progress(session.recorder, session.trainee.headline),
            session.checkpoints,
        ]
        # Most callbacks do nothing at a step, and there are many replicas.
        self._at_start = [each for each in self._callbacks if _overrides(each, "on_step_start")]
        self._at_end = [each for each in self._callbacks if _overrides(each, "on_step_end")]

    @property
    def metrics(self) -> dict[str, float]:
        """The metrics of the latest epoch."""
        return self.module.metrics

    @contextmanager
    def log(self) -> Iterator[None]:
        """Write what is logged in the block to the log of this run."""
        with run_log(self.folder.log_path):
            yield

    def begin(self, optimizer: Optimizer) -> None:
        """Begin the records."""
        trainer = self.session.trainer
        device = SimpleNamespace(root_device=trainer.strategy.root_device)
        position: Any = Position([optimizer], self._kept, device, trainer.max_epochs, self.module)
        self.position = position
        begin_records(self.session)
        for callback in self._callbacks:
            callback.on_train_start(position, self.module)
        if self.session.trainee.evaluates_untrained:
            with self.log():
                show_untrained(self.session)
        self._started = time.perf_counter()

    def begin_epoch(self, epoch: int) -> None:
        """Shuffle the samples, and empty the metrics."""
        self.position.current_epoch = epoch
        self.loaders["train"].set_epoch(epoch)
        self.metrics.clear()
        if self.is_active:
            self.session.recorder.on_epoch_start(self.position, self.module)

    def begin_step(self) -> None:
        """Note the learning rate."""
        if self.is_active:
            for callback in self._at_start:
                callback.on_step_start(self.position, self.module)

    def end_step(self, loss: Tensor, num_samples: int, *, is_last: bool) -> None:
        """Note the loss of a step, a scalar."""
        if not self.is_active:
            return
        self.position.global_step += 1
        self.position.is_last_batch = is_last
        for callback in self._at_end:
            callback.on_step_end(self.position, self.module, loss, num_samples)

    def guard(self, loss: Tensor, place: Place) -> None:
        """Check a loss, a scalar on the CPU; one that is NaN or Inf ends the run."""
        if not self.is_active:
            return
        try:
            self.module.loss_guard.check(loss, lambda: place, self.position)
        except Diverged as error:
            self._diverge(error)

    def _diverge(self, error: Diverged) -> None:
        with self.log():
            logger.warning(f"{error} To fix: try a smaller optimizer.lr")
        self._status, self.is_active = "diverged", False

    def add_metrics(self, split: str, meter: Meter) -> None:
        """Add the metrics of a pass through a split to those of the epoch."""
        added = {} if split == "train" else self.task.added_values()
        self.metrics.update({f"{split}/{name}": value for name, value in (meter.compute() | added).items()})

    def validate(self) -> Meter:
        """Evaluate the validation split alone."""
        meter = self._evaluate("val")
        self.add_metrics("val", meter)
        return meter

    def test(self) -> dict[str, float]:
        """Return the metrics of the best checkpoint on the test split, as `TrainingModule` does within a Trainer."""
        self.trainee.load_weights("best")
        outcomes = self.module.outcomes = self.task.outcomes = self.task.new_outcomes()
        meter = self._evaluate("test")
        self.task.outcomes = None
        values = meter.compute() | self.task.added_values()
        if outcomes is not None:
            values |= self.task.outcome_metrics(outcomes.gather())
        return {f"test/{name}": value for name, value in values.items()}

    @torch.no_grad()
    def _evaluate(self, split: str) -> Meter:
        self.task.eval().begin_added(self.task.device)
        meter = self.task.new_meter()
        for batch in self.loaders[split]:
            self.task.batch_loss(batch, meter)
        return meter

    def end_epoch(self, validated: Meter) -> None:
        """Record an epoch whose metrics are complete, and stop if it is the last one."""
        if not self.is_active:
            return
        self.module.validated = validated
        with self.log():
            try:
                for callback in self._callbacks:
                    callback.on_epoch_end(self.position, self.module)
            except Diverged as error:
                self._diverge(error)
        if self.position.should_stop:
            self.is_active = False

    def end(self) -> None:
        """Note when the training has ended."""
        self._seconds = time.perf_counter() - self._started

    def finish(self) -> None:
        """Write the checkpoints, test the best one, and report."""
        session = self.session
        self._kept.write()
        with self.log(), ending(session.recorder.loggers) as outcome:
            outcome["status"] = self._status
            tested = self.test() if session.checkpoints.best else {}
            report(session, self._status, self._seconds, tested)


def _overrides(callback: RunCallback, name: str) -> bool:
    return getattr(type(callback), name) is not getattr(RunCallback, name)
