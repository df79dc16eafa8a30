"""Train several runs at once, each as if it were alone."""

from collections.abc import Sequence

from torch import Tensor

from firstlight.data import BatchLoader
from firstlight.networks.network import completed
from firstlight.tasks import Batch, Classification, Regression
from firstlight.tasks.metrics.meters import Meter
from firstlight.training.recovery.loss_guard import Place
from firstlight.training.recovery.stop_signals import StopSignals
from firstlight.training.schedulers.protocol import RunLength
from firstlight.training.stacked.batches import stacked_batches
from firstlight.training.stacked.optimizers import StackedOptimizers
from firstlight.training.stacked.replica import Replica
from firstlight.training.stacked.stack import Stack


class StackedFit:
    """Trains replicas: the steps are computed together, all else is done for each.

    Args:
        replicas: the runs. Those whose optimizers have equal options stand side by side.
        signals: the signals that end the training at its next step.

    Raises:
        ValueError: the networks, tasks or batches cannot be stacked.
    """

    def __init__(self, replicas: Sequence[Replica], signals: StopSignals) -> None:
        self.replicas = replicas
        self.signals = signals
        first = replicas[0]
        _check(replicas)
        config = first.module.config
        self._max_epochs = first.session.trainer.max_epochs or -1
        self._max_steps = config.max_steps
        self.stack = Stack(
            [replica.task for replica in replicas],
            [replica.module.config.seed for replica in replicas],
            channels_last=config.channels_last,
        )
        modules = [replica.module for replica in replicas]
        self.optimizers = StackedOptimizers(modules, self.stack.parameters, self._length(first))
        self._unread: list[tuple[Place, Tensor]] = []
        self._step = 0

    def _length(self, first: Replica) -> RunLength:
        num_batches = len(first.loaders["train"])
        limits = [self._max_steps, num_batches * self._max_epochs if self._max_epochs > 0 else None]
        total = min(limit for limit in limits if limit is not None)
        return RunLength(total, num_batches, first.session.trainee.mode)

    def run(self) -> None:
        """Train until no replica learns any more.

        Raises:
            KeyboardInterrupt: a signal has stopped the training.
        """
        self._check_network()
        for replica, optimizer in zip(self.replicas, self.optimizers.of_replica, strict=True):
            replica.begin(optimizer)
        self.signals.defer()
        epoch = 0
        while not self._has_ended(epoch):
            self._train_epoch(epoch)
            epoch += 1
        self.signals.is_deferring = False
        for replica in self.replicas:
            replica.end()

    def _has_ended(self, epoch: int) -> bool:
        is_last = 0 <= self._max_epochs <= epoch
        at_limit = self._max_steps is not None and self._step >= self._max_steps
        return is_last or at_limit or not any(replica.is_active for replica in self.replicas)

    def _check_network(self) -> None:
        """Compute the first loss of each replica once, on copies of what a step changes.

        Raises:
            ValueError: torch cannot stack the network.
        """
        buffers = self.stack.buffers
        self.stack.buffers = {name: value.clone() for name, value in buffers.items()}
        network = type(self.replicas[0].task.network).__name__
        try:
            self.stack.train(next(stacked_batches(self._loaders("train"))), self.stack.new_meters()[1], 0, 0)
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[0][:200]
            raise ValueError(
                f"sweep.stacked=true: must be false with {network}, because torch.func cannot stack it ({reason})."
            ) from error
        finally:
            self.stack.buffers = buffers
            for loader in self._loaders("train"):
                loader.load_state_dict({"epoch": 0, "batch": 0})

    def _loaders(self, split: str) -> list[BatchLoader]:
        return [replica.loaders[split] for replica in self.replicas]

    def _train_epoch(self, epoch: int) -> None:
        for replica in self.replicas:
            replica.begin_epoch(epoch)
        meters, sums = self.stack.new_meters()
        loaders = self._loaders("train")
        for index, raw in enumerate(stacked_batches(loaders)):
            self._train_step(raw, sums, epoch, index, is_last=index + 1 == len(loaders[0]))
            if self.signals.number:
                raise KeyboardInterrupt(self.signals.number)
            if self._step == self._max_steps:
                break
        validated = self._validate()
        self._read_losses()
        for replica, trained in zip(self.replicas, meters, strict=True):
            replica.add_metrics("train", trained)
        monitor = self.replicas[0].module.config.monitor
        self.optimizers.step_epoch([replica.metrics for replica in self.replicas], monitor)
        for replica, meter in zip(self.replicas, validated, strict=True):
            replica.end_epoch(meter)

    def _train_step(self, raw: Batch, sums: dict[str, Tensor], epoch: int, index: int, *, is_last: bool) -> None:
        for replica in self.replicas:
            replica.begin_step()
        losses = self.stack.train(raw, sums, epoch, index)
        self._unread.append((Place(epoch + 1, self._step + 1, index + 1), losses.detach()))
        if losses.device.type == "cpu":  # on a GPU, reading a loss means waiting for the step
            self._read_losses()
        self.optimizers.step(losses)
        self._step += 1
        for replica, loss in zip(self.replicas, losses.detach().unbind(), strict=True):
            replica.end_step(loss, raw[0].shape[1], is_last=is_last)

    def _read_losses(self) -> None:
        """End the replicas whose losses are no longer finite."""
        unread, self._unread = self._unread, []
        for place, losses in unread:
            if bool(losses.isfinite().all()):
                continue
            for replica, loss in zip(self.replicas, losses.cpu(), strict=True):
                replica.guard(loss, place)

    def _validate(self) -> list[Meter]:
        """Evaluate the validation split of each replica."""
        if self.replicas[0].task.added is not None:  # these metrics see one replica at a time
            return [replica.validate() for replica in self.replicas]
        meters, sums = self.stack.new_meters()
        for raw in stacked_batches(self._loaders("val")):
            self.stack.evaluate(raw, sums)
        for replica, meter in zip(self.replicas, meters, strict=True):
            replica.add_metrics("val", meter)
        return meters


def _check(replicas: Sequence[Replica]) -> None:
    task = replicas[0].task
    if not isinstance(task, Classification | Regression):
        raise ValueError(
            f"sweep.stacked=true: must be false with task={task.task_name}; it is for classification and regression."
        )
    if completed(task.network).has_state or task.spec.kind == "tokens":
        raise ValueError(
            f"sweep.stacked=true: must be false with {type(task.network).__name__}, which reads sequences."
        )
    for split in ("train", "val"):
        sizes = {len(replica.loaders[split].split) for replica in replicas}
        if len(sizes) > 1:
            raise ValueError(
                f"sweep.stacked=true: must be false here, because the {split} splits of the seeds have different sizes:"
                f" {', '.join(map(str, sorted(sizes)))}."
            )
