"""The LightningModule that trains a task."""

import math
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.optim import LBFGS, Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from firstlight.config import RunConfig
from firstlight.config.instantiate import bind, build
from firstlight.data import BatchLoader
from firstlight.randomness import derive, reseed
from firstlight.tasks import Batch, Task
from firstlight.tasks.metrics.meters import Meter
from firstlight.training.recovery.loss_guard import LossGuard, Place
from firstlight.training.schedulers import BoundScheduler, RunLength


class TrainingModule(LightningModule):
    """Connects a task with Lightning: optimizers, schedulers, metrics of each split, and checkpoints.

    The randomness of a step follows from the seed, the epoch, the batch and the rank alone. Checkpoints hold the state
    of the task, under its own names.

    Args:
        task: the task to train.
        config: the config of the run.

    Attributes:
        metrics: the metrics of this epoch so far; the keys are `<split>/<name>`.
        train_loader: the training batches. It must be set before the training.
        loss_guard: checks the loss of every step.
        resumes_within_epoch: see `Learner`.
        is_within_epoch: whether a checkpoint that is saved now belongs to an epoch that has not ended.
        unfinished_epoch: the state of the epoch in which the run was stopped, of each rank, until it continues; None if
            it was stopped between two epochs.

    Raises:
        ValueError: an option of the optimizer or the scheduler is refused.
    """

    def __init__(self, task: Task, config: RunConfig) -> None:
        super().__init__()
        self.task = task
        self.config = config
        self.automatic_optimization = not task.has_multiple_optimizers
        self.optimizer_class = bind("optimizer", config.optimizer)
        self.scheduler = BoundScheduler(config.scheduler)
        # An optimizer of a dummy parameter reports wrong options now, and not when Lightning asks for the optimizer.
        self.scheduler.rehearse(_checked(build("optimizer", config.optimizer, [nn.Parameter(torch.zeros(1))])))
        self.metrics: dict[str, float] = {}
        self.train_loader: BatchLoader | None = None
        self.loss_guard = LossGuard()
        self.resumes_within_epoch = True
        self.is_within_epoch = False
        self.unfinished_epoch: list[dict[str, Any]] | None = None
        self._meter: Meter | None = None
        self._train_meter: Meter | None = None
        # Lightning would step these after the checkpoint of the epoch, and a resumed run would lose an epoch.
        self._epoch_schedulers: list[LRScheduler] = []
        self._length: RunLength | None = None
        self._saved_schedules: dict[str, Any] = {}  # from a checkpoint, until the schedulers exist
        self._last_batch = (-1, -1)  # epoch and batch

    def configure_optimizers(self) -> Any:
        """Return the optimizers and schedulers. Lightning calls this before the first step."""
        length = self._length = self._run_length()
        if self.task.has_multiple_optimizers:
            optimizers = [self.optimizer_class(part.parameters()) for part in self.task.optimized_parts()]
        else:
            optimizers = [self.optimizer_class(self.task.freezing.parameters(self.optimizer_class.keywords.get("lr")))]
        schedulers = [self.scheduler(optimizer, length) for optimizer in optimizers]
        if self.scheduler.counts_epochs(schedulers[0]):
            self._epoch_schedulers = schedulers
            return optimizers
        return optimizers, [{"scheduler": scheduler, "interval": "step"} for scheduler in schedulers]

    def _run_length(self) -> RunLength:
        batches = self._batches_per_epoch()
        total_steps = self.trainer.estimated_stepping_batches  # considers accumulation and max_epochs
        if self.config.max_steps is not None:
            total_steps = min(total_steps, self.config.max_steps)
        steps_per_epoch = math.ceil(batches / self.trainer.accumulate_grad_batches)
        return RunLength(total_steps, steps_per_epoch, self.task.monitored(self.config.monitor).direction or "min")

    def _batches_per_epoch(self) -> int:
        """Return the number of training batches in an epoch. If `max_epochs` is -1, Lightning knows it only later."""
        assert self.train_loader is not None
        number, limit = len(self.train_loader), self.trainer.limit_train_batches
        return min(number, limit) if isinstance(limit, int) else int(number * limit)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Train on one raw batch."""
        reseed(derive(self.config.seed, "step", self.current_epoch, batch_idx, self.global_rank), self.device)
        if self.automatic_optimization:
            self._check_first_evaluation(batch_idx)
            loss = self.task.batch_loss(batch, self._meter)
            self._guard(loss)
            return loss
        loss = self.task.alternating_step(batch, self._meter, self._update)
        schedulers: Any = self.lr_schedulers() or ()
        for scheduler in schedulers:
            scheduler.step()
        return loss

    def _check_first_evaluation(self, batch_idx: int) -> None:
        """Refuse an optimizer that computes the loss of a batch again: the metrics would count the batch twice."""
        if self._last_batch == (self.current_epoch, batch_idx):
            raise _refused(self.optimizer_class.func)
        self._last_batch = (self.current_epoch, batch_idx)

    def _guard(self, loss: Tensor) -> None:
        """Check that the loss of this step is finite."""
        self.loss_guard.check(loss, self._place, self.trainer)

    def _place(self) -> Place:
        return Place(self.current_epoch + 1, self.global_step + 1, self.trainer.fit_loop.batch_idx + 1)

    def _update(self, part: int, loss: Tensor) -> None:
        """Take the gradient step of one of several optimized parts."""
        self._guard(loss)
        wrapped: Any = self.optimizers()
        wrapped[part].zero_grad()
        self.manual_backward(loss)
        if part == 0:
            wrapped[part].step()
        else:  # Lightning counts only the steps of its own wrapper of the optimizer
            bare: Any = self.optimizers(use_pl_optimizer=False)
            self.trainer.strategy.optimizer_step(bare[part], lambda: None)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Evaluate one raw batch."""
        self.task.batch_loss(batch, self._meter)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Evaluate one raw batch."""
        self.task.batch_loss(batch, self._meter)

    def on_train_epoch_start(self) -> None:
        """Unfreeze the parts that learn from this epoch on, reset the metrics, and shuffle the samples."""
        if self.task.freezing.unfreezes_later:
            self.task.freezing.begin_epoch(self.current_epoch)
        self._train_meter = self._meter = self.task.new_meter()
        self.metrics.clear()
        assert self.train_loader is not None
        self.train_loader.set_epoch(self.current_epoch)

    def on_validation_epoch_start(self) -> None:
        """Save the state of the training epoch, because a validation may interrupt it."""
        self.loss_guard.read(self.trainer)
        self._training_stream_state = self.task.stream_state
        self._meter = self.task.new_meter()
        self.task.added.reset(self.device)

    def on_test_epoch_start(self) -> None:
        """Reset the metrics of the test split."""
        self._meter = self.task.new_meter()
        self.task.added.reset(self.device)

    def on_train_epoch_end(self) -> None:
        """Compute the training metrics over all batches, each with the weights before its step."""
        self.loss_guard.read(self.trainer)
        self._finish(self._train_meter, "train")
        for scheduler in self._epoch_schedulers:
            if not isinstance(scheduler, ReduceLROnPlateau):
                scheduler.step()
            elif self.config.monitor in self.metrics:
                scheduler.step(self.metrics[self.config.monitor])

    def on_validation_epoch_end(self) -> None:
        """Compute the validation metrics, and restore the state of the training epoch."""
        self._finish(self._meter, "val")
        self.task.stream_state = self._training_stream_state
        if self.trainer.state.fn == "fit":
            self._meter = self._train_meter

    def on_test_epoch_end(self) -> None:
        """Compute the test metrics."""
        self._finish(self._meter, "test")

    def _finish(self, meter: Meter | None, split: str) -> None:
        assert meter is not None
        if self.trainer.world_size > 1:
            for total in meter.sums():
                total.copy_(self.trainer.strategy.reduce(total, reduce_op="sum"))
        values = meter.compute() | ({} if split == "train" else self.task.added.compute())
        found = {f"{split}/{name}": value for name, value in values.items()}
        self.metrics |= found
        # For the callbacks of the config; the Recorder logs the metrics. All ranks have the same values already.
        self.log_dict(found, sync_dist=True, logger=False)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the samples out of copies, which `WeightAveraging` makes."""
        return super().__getstate__() | {"train_loader": None}

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]  # it has overloads
        """Return the state of the task, under its own names."""
        return self.task.state_dict(*args, **kwargs)

    def load_state_dict(self, state_dict: Any, strict: bool = True, assign: bool = False) -> Any:
        """Load the state of the task."""
        return self.task.load_state_dict(state_dict, strict=strict, assign=assign)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the config and the spec, as plain values, so that a checkpoint describes itself."""
        checkpoint["config"] = self.config.to_plain()
        checkpoint["spec"] = self.task.spec.to_dict()
        if self._length is not None:
            states = [scheduler.state_dict() for scheduler in self._epoch_schedulers]
            checkpoint["schedules"] = {"steps": self._length.total_steps, "by_epoch": states}
        if self.is_within_epoch:
            checkpoint["unfinished_epoch"] = self._epoch_state()

    def _epoch_state(self) -> list[dict[str, Any]]:
        """Return the state of this epoch that nothing else holds, of each rank."""
        assert self._train_meter is not None
        assert self.train_loader is not None
        own = {
            "sums": [total.cpu() for total in self._train_meter.sums()],
            "stream": _moved(self.task.stream_state, torch.device("cpu")),
            "metrics": dict(self.metrics),
            "loader": self.train_loader.state_dict(),
        }
        if self.trainer.world_size == 1:
            return [own]
        found: list[Any] = [None] * self.trainer.world_size
        torch.distributed.all_gather_object(found, own)
        return found

    def _continue_epoch(self, ranks: list[dict[str, Any]]) -> None:
        """Restore what `_epoch_state` returned."""
        if len(ranks) != self.trainer.world_size:
            raise ValueError(f"trainer.devices: must be {len(ranks)} devices until the end of the epoch, as before.")
        self.on_train_epoch_start()
        assert self._train_meter is not None
        assert self.train_loader is not None
        own = ranks[self.global_rank]
        self.train_loader.load_state_dict(own["loader"])
        for total, saved in zip(self._train_meter.sums(), own["sums"], strict=True):
            total.copy_(saved)
        self.task.stream_state = _moved(own["stream"], self.device)
        self.metrics |= own["metrics"]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the states that Lightning does not know. It calls this before it asks for the optimizers."""
        self._saved_schedules = checkpoint.get("schedules", {})
        self.unfinished_epoch = checkpoint.get("unfinished_epoch")
        for state in checkpoint.get("lr_schedulers", ()):  # the length of the run may be another one now
            for name in ("total_steps", "_schedule_phases"):  # of OneCycleLR
                state.pop(name, None)

    def on_train_start(self) -> None:
        """Restore the states that Lightning does not know: schedulers, and an epoch that has not ended."""
        self._restore_schedulers()
        if self.unfinished_epoch is not None:
            self._continue_epoch(self.unfinished_epoch)
            self.unfinished_epoch = None

    def _restore_schedulers(self) -> None:
        """Restore the schedulers that count epochs, and put those that depend on the run's length at their place."""
        if not self._saved_schedules:
            return
        for scheduler, state in zip(self._epoch_schedulers, self._saved_schedules["by_epoch"], strict=True):
            scheduler.load_state_dict(state)
        assert self._length is not None
        if self._saved_schedules["steps"] != self._length.total_steps and self.scheduler.depends_on_length:
            by_step = [config.scheduler for config in self.trainer.lr_scheduler_configs]
            num_steps = self.trainer.current_epoch if self._epoch_schedulers else self.global_step
            for scheduler, optimizer in zip(self._epoch_schedulers or by_step, self.trainer.optimizers, strict=True):
                self.scheduler.replay(scheduler, optimizer, self._length, num_steps)
        self._saved_schedules = {}


def _checked(optimizer: Any) -> Optimizer:
    """Return what `optimizer` has built.

    Raises:
        ValueError: it is no optimizer, or one that computes the loss of a batch several times.
    """
    if not isinstance(optimizer, Optimizer):
        raise ValueError(
            f"optimizer: must be a subclass of torch.optim.Optimizer, and not return a {type(optimizer).__name__}."
        )
    if isinstance(optimizer, LBFGS):
        raise _refused(type(optimizer))
    return optimizer


def _refused(optimizer: type[Optimizer]) -> ValueError:
    return ValueError(
        f"optimizer: must be one that computes the loss once in each step, and {optimizer.__name__} repeats it."
    )


def _moved(state: Any, device: torch.device) -> Any:
    """Return the state of a recurrent network on a device: a tensor, a tuple of them, or None."""
    if isinstance(state, tuple):
        return tuple(_moved(part, device) for part in state)
    return None if state is None else state.to(device)
