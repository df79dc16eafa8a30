"""What is known of a job of a sweep: its words, and how it has ended so far."""

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

from firstlight.config.overrides import value_of
from firstlight.runs.sweeps.job import Ending, Job, State


@dataclass(frozen=True)
class JobRecord:
    """A job of a sweep as its folder knows it.

    Attributes:
        number: the number of the job, from 0.
        overrides: the words of its config.
        run_dir: its run folder.
        state: "running", or how the job has ended.
        cause: why the job has no result; empty if it has one.
        metrics: the content of metrics.json with "run_dir"; empty if there is none. None in place of NaN and Inf.
        seconds: the time from its start to its end, without that of earlier starts.
    """

    number: int
    overrides: tuple[str, ...]
    run_dir: Path
    state: State | Literal["running"] = "running"
    cause: str = ""
    metrics: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    @classmethod
    def of(cls, job: Job) -> Self:
        """Return the record of a job that begins."""
        return cls(job.number, job.overrides, job.run_dir)

    def ended(self, ending: Ending) -> Self:
        """Return the record of the job after its end."""
        metrics = {name: _finite(value) for name, value in ending.metrics.items()}
        return replace(self, state=ending.state, cause=ending.cause, metrics=metrics, seconds=ending.seconds)

    def stopped(self) -> Self:
        """Return the record of the job when its sweep is resumed: one that ran when the sweep died was interrupted."""
        return replace(self, state="interrupted", cause="interrupted") if self.state == "running" else self

    @property
    def has_result(self) -> bool:
        """Whether the job has trained to an end, if only to an early one."""
        return self.state in ("completed", "pruned", "diverged")

    @cached_property
    def choices(self) -> dict[str, str]:
        """The words as keys and values; a word without a value, such as `~experiment`, has none."""
        pairs = [word.lstrip("+") for word in self.overrides if "=" in word and not word.startswith("~")]
        return {pair.partition("=")[0]: value_of(pair) for pair in pairs}

    @property
    def monitor(self) -> str | None:
        """The name of the metric that the run monitors; None if the job has no result, or monitors none."""
        return self.metrics.get("monitor") if self.has_result else None

    def value(self, metric: str | None) -> float:
        """Return a metric of the job; NaN if the job has no result or the metric no value."""
        value = self.metrics.get(metric or "") if self.has_result else None
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan


def _finite(value: Any) -> Any:
    """Return None in place of NaN and Inf, which JSON does not have."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
