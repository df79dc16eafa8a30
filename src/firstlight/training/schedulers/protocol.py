"""What a scheduler is, and what it knows of the run."""

import math
from dataclasses import dataclass
from typing import Any, Protocol

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler


@dataclass(frozen=True)
class RunLength:
    """The length of a run in optimizer steps. With gradient accumulation, a step takes several batches.

    Attributes:
        total_steps: steps of the run; infinite if neither its epochs nor its steps are limited.
        steps_per_epoch: steps of one epoch.
        mode: "min" or "max", the direction in which the run's `monitor` improves.
    """

    total_steps: float
    steps_per_epoch: int
    mode: str

    def finite_steps(self, scheduler: str) -> int:
        """Return `total_steps` for a scheduler that needs it.

        Raises:
            ValueError: the run has no limit.
        """
        if math.isinf(self.total_steps):
            raise ValueError(
                f"scheduler={scheduler}: must be used with trainer.max_epochs or trainer.max_steps, which set the end."
            )
        return int(self.total_steps)

    def finite_epochs(self, scheduler: str) -> int:
        """Return the epochs of the run, the last of which may be a part, for a scheduler that needs them.

        Raises:
            ValueError: the run has no limit.
        """
        return math.ceil(self.finite_steps(scheduler) / self.steps_per_epoch)


class Scheduler(Protocol):
    """A function that builds the scheduler of an optimizer; the `_target_` of `scheduler` names it.

    The returned scheduler is stepped after each optimizer step; a `ReduceLROnPlateau` after each epoch. It is a class
    of torch or a subclass of `LRScheduler`, whose state goes into the checkpoints. A class of torch may also be the
    `_target_` itself, see `BoundScheduler`.
    """

    def __call__(self, optimizer: Optimizer, run_length: RunLength, **options: Any) -> LRScheduler:
        """Return the scheduler.

        Args:
            optimizer: the optimizer, with its highest learning rate.
            run_length: the length of the run.
            options: the options in the YAML file, as keyword arguments.

        Raises:
            ValueError: an option is out of its range, or the scheduler needs a limit of the run.
        """
        ...
