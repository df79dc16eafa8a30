"""A metric: its name, and whether lower or higher values are better."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """A number that a task computes for a split, such as `val/accuracy`.

    Attributes:
        name: the name without the split, such as "accuracy".
        direction: "min" if lower values are better, "max" if higher values are; None if it is unknown. Such a metric
            is recorded, but cannot be monitored.
    """

    name: str
    direction: str | None


LOSS = Metric("loss", "min")


def is_better(mode: str, value: float, than: float) -> bool:
    """Return whether `value` is better than `than` by the mode "min" or "max". NaN is worse than every number."""
    if math.isnan(value) or math.isnan(than):
        return not math.isnan(value)
    return value < than if mode == "min" else value > than
