"""How a network is trained."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from firstlight.config.transfer import Transfer
from firstlight.training.schedulers import Plan


@dataclass(frozen=True)
class Recipe:
    """How a network is trained: what `build` makes of the config's optimizer, scheduler and settings."""

    optimizer: Callable[[Iterable[Any]], Optimizer]
    scheduler: Callable[[Optimizer, Plan], LRScheduler | ReduceLROnPlateau]
    monitor: str
    seed: int
    max_steps: int | None
    transfer: Transfer = field(default_factory=Transfer)
