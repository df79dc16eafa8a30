"""The optimizers of stacked runs: one for all replicas whose optimizers have the same numbers."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from firstlight.training.module import TrainingModule
from firstlight.training.schedulers.protocol import RunLength

# They change each weight by its own gradients alone, so a replica does not notice the others.
_ELEMENTWISE = (
    torch.optim.SGD,
    torch.optim.Adam,
    torch.optim.AdamW,
    torch.optim.NAdam,
    torch.optim.RAdam,
    torch.optim.RMSprop,
    torch.optim.Adagrad,
    torch.optim.Adadelta,
)


@dataclass
class _Part:
    """Replicas with one optimizer.

    Attributes:
        replicas: their places, from `start` to before `stop`.
        weights: their part of each stacked parameter.
    """

    replicas: range
    weights: list[nn.Parameter]
    optimizer: Optimizer
    scheduler: LRScheduler
    counts_epochs: bool


class StackedOptimizers:
    """Steps the optimizers and schedulers of all replicas, as those of single runs.

    Args:
        modules: the module of each replica. Those whose optimizers have equal options stand side by side.
        parameters: the stacked parameters (replicas, ...) by their names in the task.
        length: the length of the run.

    Raises:
        ValueError: the optimizer does not change each weight by itself.
    """

    def __init__(
        self, modules: Sequence[TrainingModule], parameters: Mapping[str, nn.Parameter], length: RunLength
    ) -> None:
        self._parameters = parameters
        self._parts: list[_Part] = []
        start = 0
        for _, members in itertools.groupby(enumerate(modules), self._key):
            first, *others = (module for _, module in members)
            stop = start + 1 + len(others)
            self._parts.append(self._part(first, range(start, stop), length))
            start = stop
        self.of_replica = [part.optimizer for part in self._parts for _ in part.replicas]

    @staticmethod
    def _key(numbered: tuple[int, TrainingModule]) -> str:
        place, module = numbered
        config = module.config
        follows_metric = config.scheduler["_target_"].rpartition(".")[2] in ("plateau", "ReduceLROnPlateau")
        return repr((config.optimizer, config.parameters, place if follows_metric else None))

    def _part(self, module: TrainingModule, replicas: range, length: RunLength) -> _Part:
        (optimizer,) = module.optimizer(module.task)
        if type(optimizer) not in _ELEMENTWISE:
            names = ", ".join(each.__name__ for each in _ELEMENTWISE)
            raise ValueError(f"sweep.stacked=true: must be false with {type(optimizer).__name__}; stacked are {names}.")
        weights = {
            id(module.task.get_parameter(name)): nn.Parameter(stacked.detach()[replicas.start : replicas.stop])
            for name, stacked in self._parameters.items()
        }
        for group in optimizer.param_groups:
            group["params"] = [weights[id(parameter)] for parameter in group["params"]]
        bound = module.schedules.scheduler
        scheduler = bound(optimizer, length)
        return _Part(replicas, list(weights.values()), optimizer, scheduler, bound.counts_epochs(scheduler))

    def step(self, losses: Tensor) -> None:
        """Take the gradient step of each replica, given the losses (replicas,)."""
        for parameter in self._parameters.values():
            parameter.grad = None
        losses.sum().backward()
        for part in self._parts:
            for weights, stacked in zip(part.weights, self._parameters.values(), strict=True):
                gradient = stacked.grad
                weights.grad = None if gradient is None else gradient[part.replicas.start : part.replicas.stop]
            part.optimizer.step()
            if not part.counts_epochs:
                part.scheduler.step()

    def step_epoch(self, metrics: Sequence[Mapping[str, float]], monitor: str) -> None:
        """Step the schedulers that count epochs, given the metrics of each replica."""
        for part in self._parts:
            if not part.counts_epochs:
                continue
            if isinstance(part.scheduler, ReduceLROnPlateau):
                part.scheduler.step(metrics[part.replicas.start][monitor])
            else:
                part.scheduler.step()
