"""The LightningModule that trains a task."""

from functools import partial
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn

from firstlight.config import RunConfig
from firstlight.data import BatchLoader
from firstlight.randomness import derive, reseed
from firstlight.tasks import Batch, Task
from firstlight.tasks.metrics.meters import Meter
from firstlight.tasks.outcomes import Outcomes
from firstlight.training.optimizers import BoundOptimizer
from firstlight.training.recovery.loss_guard import LossGuard, Place
from firstlight.training.regularisation import Weights, limit_norms, penalty
from firstlight.training.schedulers.schedules import Schedules


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
        outcomes: what the task has found for the samples of the test split; None before the test, and for tasks that
            keep no outcomes.
        validated: the sums of the latest validation of this epoch; None before it.

    Raises:
        ValueError: an option of the optimizer or the scheduler is refused, or `task.penalised` matches nothing.
    """

    def __init__(self, task: Task, config: RunConfig) -> None:
        super().__init__()
        self.task = task
        self.config = config
        self.automatic_optimization = not task.has_multiple_optimizers
        self.optimizer = BoundOptimizer(config)
        self.schedules = Schedules(config, task.monitored(config.monitor).direction or "min")
        # Wrong options are reported now, and not when Lightning asks for the optimizers.
        self.schedules.rehearse(self.optimizer.rehearse())
        self.optimizer.check(task)
        options = config.regularisation
        self._weights = Weights(task.network, options.penalised) if options.has_effect else None
        self.metrics: dict[str, float] = {}
        self.train_loader: BatchLoader | None = None
        self.loss_guard = LossGuard()
        self.resumes_within_epoch = True
        self.is_within_epoch = False
        self.unfinished_epoch: list[dict[str, Any]] | None = None
        self.outcomes: Outcomes | None = None
        self.validated: Meter | None = None
        self._meter: Meter | None = None
        self._train_meter: Meter | None = None
        self._last_batch = (-1, -1)  # epoch and batch

    def configure_optimizers(self) -> Any:
        """Return the optimizers and schedulers. Lightning calls this before the first step."""
        assert self.train_loader is not None
        optimizers = self.optimizer(self.task)
        max_norm = self.config.regularisation.max_norm
        if self._weights is not None and max_norm is not None:
            for part, optimizer in zip(self.task.optimized_parts(), optimizers, strict=True):
                optimizer.register_step_post_hook(partial(_limit_norms, self._weights, part, max_norm))
        return self.schedules.configure(optimizers, self.trainer, len(self.train_loader))

    def _penalised(self, loss: Tensor, part: nn.Module) -> Tensor:
        """Return a loss with the penalty of the weights of a part. The metrics do not contain it."""
        options = self.config.regularisation
        weights = list(self._weights.of(part)) if self._weights is not None and options.has_penalty else []
        return loss + penalty(weights, options) if weights else loss

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Train on one raw batch."""
        reseed(derive(self.config.seed, "step", self.current_epoch, batch_idx, self.global_rank), self.device)
        if self.automatic_optimization:
            self._check_first_evaluation(batch_idx)
            loss = self._penalised(self.task.batch_loss(batch, self._meter), self.task.network)
            self._guard(loss)
            return self._weighted(loss, len(batch[0]), batch_idx)
        loss = self.task.alternating_step(batch, self._meter, self._update)
        schedulers: Any = self.lr_schedulers() or ()
        for scheduler in schedulers:
            scheduler.step()
        return loss

    def _weighted(self, loss: Tensor, num_samples: int, batch_idx: int) -> Tensor:
        """Return the loss of a batch, with the gradient that it has in the mean over all samples of its step.

        If a step accumulates the gradients of several batches, Lightning divides each by their usual number. At the end
        of an epoch there may be fewer batches, and the last one may be smaller.
        """
        number = self.trainer.accumulate_grad_batches
        if number == 1:
            return loss
        assert self.train_loader is not None
        begin = batch_idx - batch_idx % number
        end = min(begin + number, int(self.trainer.num_training_batches))
        of_step = self.train_loader.num_samples_between(begin, end)
        weight = number * num_samples * self.trainer.world_size / of_step
        return loss if weight == 1 else loss.detach() + weight * (loss - loss.detach())

    def _check_first_evaluation(self, batch_idx: int) -> None:
        """Refuse an optimizer that computes the loss of a batch again: the metrics would count the batch twice."""
        if self._last_batch == (self.current_epoch, batch_idx):
            raise self.optimizer.refused()
        self._last_batch = (self.current_epoch, batch_idx)

    def _guard(self, loss: Tensor) -> None:
        """Check that the loss of this step is finite."""
        self.loss_guard.check(loss, self._place, self.trainer)

    def _place(self) -> Place:
        return Place(self.current_epoch + 1, self.global_step + 1, self.trainer.fit_loop.batch_idx + 1)

    def _update(self, part: int, loss: Tensor) -> None:
        """Take the gradient step of one of several optimized parts."""
        loss = self._penalised(loss, self.task.optimized_parts()[part])
        self._guard(loss)
        wrapped: Any = self.optimizers()
        wrapped[part].zero_grad()
        self.manual_backward(loss)
        options = self.config.trainer
        if limit := options.get("gradient_clip_val"):
            self.clip_gradients(wrapped[part].optimizer, limit, options.get("gradient_clip_algorithm"))
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
        self.validated = None
        assert self.train_loader is not None
        self.train_loader.set_epoch(self.current_epoch)

    def on_validation_epoch_start(self) -> None:
        """Save the state of the training epoch, because a validation may interrupt it."""
        self.loss_guard.read(self.trainer)
        self._training_stream_state = self.task.stream_state
        self.task.begin_validation(self.current_epoch)
        self._meter = self.task.new_meter()
        self.task.begin_added(self.device)

    def on_test_epoch_start(self) -> None:
        """Reset the metrics of the test split."""
        self._meter = self.task.new_meter()
        self.task.begin_added(self.device)
        self.outcomes = self.task.outcomes = self.task.new_outcomes()

    def on_train_epoch_end(self) -> None:
        """Compute the training metrics over all batches, each with the weights before its step."""
        self.loss_guard.read(self.trainer)
        self._finish(self._train_meter, "train")
        self.schedules.step_epoch(self.metrics)

    def on_validation_epoch_end(self) -> None:
        """Compute the validation metrics, and restore the state of the training epoch."""
        self._finish(self._meter, "val")
        self.validated = self._meter
        self.task.stream_state = self._training_stream_state
        if self.trainer.state.fn == "fit":
            self._meter = self._train_meter

    def on_test_epoch_end(self) -> None:
        """Compute the test metrics, and keep the outcomes of the samples."""
        self.task.outcomes = None
        if self.outcomes is not None:
            self.outcomes.gather()
        self._finish(self._meter, "test")

    def _finish(self, meter: Meter | None, split: str) -> None:
        assert meter is not None
        if self.trainer.world_size > 1:
            for total in meter.sums():
                total.copy_(self.trainer.strategy.reduce(total, reduce_op="sum"))
        values = meter.compute() | ({} if split == "train" else self.task.added_values())
        if split == "test" and self.outcomes is not None:
            values |= self.task.outcome_metrics(self.outcomes)
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

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        """Load the state of the task as a part of the state of a module around this one, as `WeightAveraging` has."""
        for name in [name for name in state_dict if name.startswith(prefix)]:
            state_dict[f"{prefix}task.{name.removeprefix(prefix)}"] = state_dict.pop(name)
        super()._load_from_state_dict(state_dict, prefix, *args)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the config and the spec, as plain values, so that a checkpoint describes itself."""
        checkpoint["config"] = self.config.to_plain()
        checkpoint["spec"] = self.task.spec.to_dict()
        self.schedules.save(checkpoint)
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
            "validated": [total.cpu() for total in self.validated.sums()] if self.validated else None,
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
        if own.get("validated"):
            self.validated = self.task.new_meter()
            for total, saved in zip(self.validated.sums(), own["validated"], strict=True):
                total.copy_(saved)
        self.train_loader.load_state_dict(own["loader"])
        for total, saved in zip(self._train_meter.sums(), own["sums"], strict=True):
            total.copy_(saved)
        self.task.stream_state = _moved(own["stream"], self.device)
        self.metrics |= own["metrics"]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the states that Lightning does not know. It calls this before it asks for the optimizers."""
        self.schedules.load(checkpoint)
        self.unfinished_epoch = checkpoint.get("unfinished_epoch")

    def on_train_start(self) -> None:
        """Restore the states that Lightning does not know: schedulers, and an epoch that has not ended."""
        self.schedules.restore(self.trainer)
        if self.unfinished_epoch is not None:
            self._continue_epoch(self.unfinished_epoch)
            self.unfinished_epoch = None


def _limit_norms(weights: Weights, part: nn.Module, max_norm: float, *_: Any) -> None:
    """Do what `limit_norms` does, as a hook of an optimizer."""
    limit_norms(weights, part, max_norm)


def _moved(state: Any, device: torch.device) -> Any:
    """Return the state of a recurrent network on a device: a tensor, a tuple of them, or None."""
    if isinstance(state, tuple):
        return tuple(_moved(part, device) for part in state)
    return None if state is None else state.to(device)
