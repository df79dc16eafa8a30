"""Our own schedules of the rate. Each depends on the optimizer step alone; `plateau` depends on the metrics so far."""

import math
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR, ReduceLROnPlateau

from firstlight.checks import check_range
from firstlight.training.schedulers.protocol import RunLength


def constant(optimizer: Optimizer, run_length: RunLength, *, warmup: float = 0.0) -> LRScheduler:
    """Raise the rate linearly over the fraction `warmup` of all steps, then keep the rate of the optimizer."""
    warmup_steps = _warmup_steps(warmup, run_length, "constant")
    return LambdaLR(optimizer, lambda step: _rise(step, warmup_steps))


def cosine(optimizer: Optimizer, run_length: RunLength, *, warmup: float = 0.05, final: float = 0.0) -> LRScheduler:
    """Raise the rate linearly over the fraction `warmup` of all steps, then lower it along half a cosine.

    The last rate is `final` times the rate of the optimizer.

    Source: Loshchilov & Hutter 2017, "SGDR", equation 5, without restarts.
    """
    total_steps = run_length.finite_steps("cosine")
    warmup_steps = round(_fraction(warmup, "warmup") * total_steps)
    _fraction(final, "final")

    def factor(step: int) -> float:
        if step < warmup_steps:
            return _rise(step, warmup_steps)
        progress = min(1.0, (step - warmup_steps) / max(1, total_steps - warmup_steps))
        return final + (1 - final) * (1 + math.cos(math.pi * progress)) / 2

    return LambdaLR(optimizer, factor)


def onecycle(
    optimizer: Optimizer, run_length: RunLength, *, warmup: float = 0.3, start: float = 0.04, final: float = 4e-6
) -> LRScheduler:
    """Raise the rate over the fraction `warmup` of all steps, then lower it.

    The first rate is `start` times, the highest 1 times, and the last `final` times the rate of the optimizer. The
    momentum, if the optimizer has one, does the opposite: it falls from 0.95 to 0.85 and rises again.
    Source: Smith & Topin 2018, "Super-convergence", section 3.

    Raises:
        ValueError: an option is out of its range, or the run has no limit.
    """
    total_steps = max(2, run_length.finite_steps("onecycle"))  # torch divides by total_steps - 1
    check_range("scheduler.warmup", warmup, at_least=0, below=1)
    if not 0 < final <= start <= 1:
        raise ValueError(
            f"scheduler.start={start} scheduler.final={final}: must be fractions of the rate, 0 < final <= start <= 1."
        )
    has_momentum = "betas" in optimizer.defaults or optimizer.defaults.get("momentum", 0) > 0
    return OneCycleLR(
        optimizer,
        max_lr=[group["lr"] for group in optimizer.param_groups],
        total_steps=total_steps,
        pct_start=warmup if warmup * total_steps > 1 else 0.0,  # torch divides by warmup * total_steps - 1
        div_factor=1 / start,
        final_div_factor=start / final,
        cycle_momentum=has_momentum,
    )


def step(
    optimizer: Optimizer, run_length: RunLength, *, every: int = 10, factor: float = 0.1, warmup: float = 0.0
) -> LRScheduler:
    """Raise the rate linearly over the fraction `warmup` of all steps; multiply it by `factor` after `every` epochs.

    Raises:
        ValueError: `every` is less than 1, `warmup` is out of range, or a run with a warm-up has no limit.
    """
    check_range("scheduler.every", every, at_least=1)
    warmup_steps, steps = _warmup_steps(warmup, run_length, "step"), every * run_length.steps_per_epoch
    return LambdaLR(optimizer, lambda step: _rise(step, warmup_steps) * factor ** (step // steps))


def plateau(
    optimizer: Optimizer,
    run_length: RunLength,
    *,
    factor: float = 0.1,
    patience: int = 5,
    threshold: float = 1e-4,
    min_lr: float = 0.0,
    warmup: float = 0.0,
) -> ReduceLROnPlateau:
    """Multiply the rate by `factor` after more than `patience` validations in a row without a better `monitor`.

    Before that, the rate rises linearly over the fraction `warmup` of all steps.

    Raises:
        ValueError: `warmup` is out of range, or a run with a warm-up has no limit.
    """
    return WarmPlateau(
        optimizer,
        _warmup_steps(warmup, run_length, "plateau"),
        mode="min" if run_length.mode == "min" else "max",
        factor=factor,
        patience=patience,
        threshold=threshold,
        min_lr=min_lr,
    )


class WarmPlateau(ReduceLROnPlateau):
    """A `ReduceLROnPlateau` that follows epochs, after a linear rise of the rate that counts optimizer steps.

    Args:
        optimizer: the optimizer. A hook after each of its steps raises the rate.
        warmup_steps: optimizer steps of the rise.
        options: of `ReduceLROnPlateau`.
    """

    def __init__(self, optimizer: Optimizer, warmup_steps: int, **options: Any) -> None:
        super().__init__(optimizer, **options)
        self.warmup_steps = warmup_steps
        self.num_steps = 0
        if warmup_steps:
            self._multiply(_rise(0, warmup_steps))
            optimizer.register_step_post_hook(lambda *_: self._count())

    def _count(self) -> None:
        """Raise the rates from those of the step that was taken to those of the next one."""
        if self.num_steps < self.warmup_steps:
            before, self.num_steps = _rise(self.num_steps, self.warmup_steps), self.num_steps + 1
            self._multiply(_rise(self.num_steps, self.warmup_steps) / before)

    def _multiply(self, factor: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] *= factor
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]


def _warmup_steps(warmup: float, run_length: RunLength, scheduler: str) -> int:
    """Return the steps of a warm-up over a fraction of all steps; 0 for a run of any length."""
    return round(_fraction(warmup, "warmup") * run_length.finite_steps(scheduler)) if warmup else 0


def _rise(step: int, warmup_steps: int) -> float:
    """Return the factor of a linear rise from 1/warmup_steps to 1. No step has a rate of 0."""
    return min(1.0, (step + 1) / warmup_steps) if warmup_steps else 1.0


def _fraction(value: float, key: str) -> float:
    check_range(f"scheduler.{key}", value, at_least=0, at_most=1)
    return value
