"""The tasks of several runs as one: their parameters, buffers and sums lie in one tensor each, replica by replica."""

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from firstlight.randomness import derive, reseed
from firstlight.tasks import Batch, Task
from firstlight.tasks.metrics.meters import Meter
from firstlight.training.stacked.noise import Streams, replace_dropout

Sums = dict[str, Tensor]


class Stack:
    """Computes the losses of all replicas at once.

    The parameters and buffers of the tasks become views of the stacked tensors, so each task always has its own current
    weights. Each replica draws the random numbers of its own run: for the augmentation first, then for dropout.

    Args:
        tasks: the tasks, which differ only in their weights and buffers.
        seeds: the seed of each run.
        channels_last: whether the channels of a pixel lie side by side in a single run.

    Attributes:
        parameters: (replicas, ...) by the name in the task.
        buffers: the same.
    """

    def __init__(self, tasks: Sequence[Task], seeds: Sequence[int], *, channels_last: bool) -> None:
        self.tasks = tasks
        self.seeds = seeds
        self.device = tasks[0].device
        # The copy alone is called, so that the tasks stay as they are.
        self._step = _Step(copy.deepcopy(tasks[0]))
        self.parameters: dict[str, nn.Parameter] = {}
        for name, first in tasks[0].named_parameters():
            stacked = _joined([task.get_parameter(name) for task in tasks])
            self.parameters[name] = nn.Parameter(stacked, requires_grad=first.requires_grad)
        names = [name for name, _ in tasks[0].named_buffers()]
        self.buffers = {name: _joined([task.get_buffer(name) for task in tasks]) for name in names}
        self._streams = Streams(self.device, len(tasks))
        self._drops = replace_dropout(self._step.task.network, self._streams, channels_last=channels_last)
        shared = [name for name in names if name.startswith("augment.")]
        # Samples that all prepare alike, and without random numbers, are prepared together.
        self._prepares_alike = not tasks[0].augment.has_steps and all(
            bool((self.buffers[name] == self.buffers[name][0]).all()) for name in shared
        )

    def new_meters(self) -> tuple[list[Meter], Sums]:
        """Return an empty meter of each replica, and their sums as stacked tensors, which the meters look at."""
        meters = [task.new_meter() for task in self.tasks]
        return meters, {name: _joined([vars(meter)[name] for meter in meters]) for name in _sums(meters[0])}

    def train(self, raw: Batch, sums: Sums, epoch: int, batch: int) -> Tensor:
        """Return the mean loss of each replica (replicas,) on raw batches, and add these to the sums.

        Args:
            raw: inputs and targets (replicas, batch, ...).
            sums: see `new_meters`.
            epoch: the epoch, counted from 0.
            batch: the batch within the epoch, counted from 0.
        """
        self._step.task.train()
        seeds = [derive(seed, "step", epoch, batch, 0) for seed in self.seeds]
        if self._prepares_alike:
            for replica, seed in enumerate(seeds):
                self._streams.seed(replica, seed)
            return self._losses(self._preprocessed(raw), sums)
        prepared = []
        for replica, (task, seed) in enumerate(zip(self.tasks, seeds, strict=True)):
            reseed(seed, self.device)
            prepared.append(task.train().prepared((raw[0][replica], raw[1][replica])))
            if self._drops:
                self._streams.go_on(replica)
        return self._losses(_together(prepared), sums)

    @torch.no_grad()
    def evaluate(self, raw: Batch, sums: Sums) -> None:
        """Add raw batches (replicas, batch, ...) to the sums, in evaluation mode."""
        self._step.task.eval()
        if self._prepares_alike:
            prepared = self._preprocessed(raw)
        else:
            parts = zip(self.tasks, *raw, strict=True)
            prepared = _together([task.eval().prepared((inputs, targets)) for task, inputs, targets in parts])
        self._losses(prepared, sums)

    def _preprocessed(self, raw: Batch) -> Batch:
        inputs, targets = raw
        return self.tasks[0].preprocess(inputs.flatten(0, 1)).unflatten(0, inputs.shape[:2]), targets

    def _losses(self, batch: Batch, sums: Sums) -> Tensor:
        return vmap(self._loss)(dict(self.parameters), self.buffers, batch, sums)

    def _loss(self, parameters: dict[str, Tensor], buffers: dict[str, Tensor], batch: Batch, sums: Sums) -> Tensor:
        named = {f"task.{name}": value for name, value in (parameters | buffers).items()}
        return functional_call(self._step, named, (batch, sums))


class _Step(nn.Module):
    """The loss of a prepared batch as a module, whose weights `functional_call` replaces."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.task = task
        vars(task)["prepared"] = lambda batch: batch  # in place of the method

    def forward(self, batch: Batch, sums: Sums) -> Tensor:
        meter: Any = self.task.new_meter()
        vars(meter).update(sums)
        return self.task.batch_loss(batch, meter)


def _together(batches: Sequence[Batch]) -> Batch:
    """Return the inputs and targets of all replicas, (replicas, batch, ...) each."""
    inputs, targets = (torch.stack(parts) for parts in zip(*batches, strict=True))
    return inputs, targets


def _sums(meter: Meter) -> list[str]:
    return [name for name, value in vars(meter).items() if isinstance(value, Tensor)]


def _joined(tensors: Sequence[Tensor]) -> Tensor:
    """Return tensors as one (replicas, ...); each becomes a view of its part."""
    stacked = torch.stack([tensor.detach() for tensor in tensors])
    for tensor, part in zip(tensors, stacked, strict=True):
        tensor.data = part
    return stacked
