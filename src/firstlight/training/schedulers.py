"""Learning rates over a run, each a function of the optimizer step alone (`plateau`: of the metrics so far).

Every one is built as `scheduler(optimizer, plan, *, options)`.
"""

import math
from dataclasses import dataclass

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR, ReduceLROnPlateau


@dataclass(frozen=True)
class Plan:
    """How long a run is going to be, in optimizer steps (with accumulation, one for several batches).

    Attributes:
        total_steps: of the whole run; infinite where neither its epochs nor its steps are limited.
        steps_per_epoch: of one epoch.
        mode: 'min' or 'max', the way in which the run's `monitor` gets better.
    """

    total_steps: float
    steps_per_epoch: int
    mode: str

    def finite_steps(self, scheduler: str) -> int:
        """The total, for a scheduler that has to know it.

        Raises:
            ValueError: it is infinite.
        """
        if math.isinf(self.total_steps):
            raise ValueError(f"scheduler={scheduler} has to know the end: set trainer.max_epochs or trainer.max_steps.")
        return int(self.total_steps)


def constant(optimizer: Optimizer, plan: Plan, *, warmup: float = 0.0) -> LRScheduler:
    """The optimizer's own rate, after a linear rise over the share `warmup` of all steps."""
    warmup_steps = round(_share(warmup, "warmup") * plan.finite_steps("constant")) if warmup else 0
    return LambdaLR(optimizer, lambda step: _rise(step, warmup_steps))


def cosine(optimizer: Optimizer, plan: Plan, *, warmup: float = 0.05, final: float = 0.0) -> LRScheduler:
    """A linear rise over the share `warmup` of all steps, then half a cosine down to `final` times the rate.

    Source: Loshchilov & Hutter 2017, "SGDR", equation 5, without restarts.
    """
    total_steps = plan.finite_steps("cosine")
    warmup_steps = round(_share(warmup, "warmup") * total_steps)
    _share(final, "final")

    def factor(step: int) -> float:
        if step < warmup_steps:
            return _rise(step, warmup_steps)
        progress = min(1.0, (step - warmup_steps) / max(1, total_steps - warmup_steps))
        return final + (1 - final) * (1 + math.cos(math.pi * progress)) / 2

    return LambdaLR(optimizer, factor)


def onecycle(
    optimizer: Optimizer, plan: Plan, *, warmup: float = 0.3, start: float = 0.04, final: float = 4e-6
) -> LRScheduler:
    """One cycle: from `start` times the rate up to it in the share `warmup` of all steps, then down to `final` times.

    The momentum, where the optimizer has one, goes the other way, between 0.85 and 0.95.
    Source: Smith & Topin 2018, "Super-convergence", section 3.
    """
    total_steps = max(2, plan.finite_steps("onecycle"))  # torch's formula divides by one less
    if not 0 <= warmup < 1:
        raise ValueError(f"scheduler.warmup={warmup}: a share from 0 to below 1.")
    if not 0 < final <= start <= 1:
        raise ValueError(
            f"scheduler.start={start} and scheduler.final={final}: shares of the rate, 0 < final <= start <= 1."
        )
    has_momentum = "betas" in optimizer.defaults or optimizer.defaults.get("momentum", 0) > 0
    return OneCycleLR(
        optimizer,
        max_lr=[group["lr"] for group in optimizer.param_groups],
        total_steps=total_steps,
        pct_start=warmup if warmup * total_steps > 1 else 0.0,  # it divides by the steps of the way up, less one
        div_factor=1 / start,
        final_div_factor=start / final,
        cycle_momentum=has_momentum,
    )


def step(optimizer: Optimizer, plan: Plan, *, every: int = 10, factor: float = 0.1) -> LRScheduler:
    """The rate times `factor` for each `every` epochs that have passed."""
    if every < 1:
        raise ValueError(f"scheduler.every={every}: one epoch or more.")
    return LambdaLR(optimizer, lambda step: factor ** (step // (every * plan.steps_per_epoch)))


def plateau(
    optimizer: Optimizer,
    plan: Plan,
    *,
    factor: float = 0.1,
    patience: int = 5,
    threshold: float = 1e-4,
    min_lr: float = 0.0,
) -> ReduceLROnPlateau:
    """The rate times `factor` after more than `patience` validations in a row without a better `monitor`."""
    return ReduceLROnPlateau(
        optimizer,
        mode="min" if plan.mode == "min" else "max",
        factor=factor,
        patience=patience,
        threshold=threshold,
        min_lr=min_lr,
    )


def _rise(step: int, warmup_steps: int) -> float:
    """From 1/warmup_steps at the first step to 1: no step has a rate of zero."""
    return min(1.0, (step + 1) / warmup_steps) if warmup_steps else 1.0


def _share(value: float, key: str) -> float:
    if not 0 <= value <= 1:
        raise ValueError(f"scheduler.{key}={value}: a share from 0 to 1.")
    return value
