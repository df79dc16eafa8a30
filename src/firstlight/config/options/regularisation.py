"""The options of `task` that keep the weights of any task small: penalties in the loss, and a largest norm."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, fields
from typing import Any

from firstlight.checks import check_range
from firstlight.config.values import as_yaml


@dataclass(frozen=True)
class Regularisation:
    """Which weights are kept small, and how; see `training.regularisation`. None stands for no effect.

    Attributes:
        l1: weight of the sum of the absolute weights in the training loss (Tibshirani 1996).
        l2: weight of the sum of the squared weights in the training loss (Hoerl & Kennard 1970).
        max_norm: largest norm of the incoming weights of a unit, which each step restores (Srivastava et al. 2014).
        penalised: the weights that these options concern: names of layers or parameters, in which * stands for
            anything; None for all weights without biases and normalisation layers.

    Raises:
        ValueError: an option is out of its range, or `penalised` has no effect.
    """

    l1: float | None = None
    l2: float | None = None
    max_norm: float | None = None
    penalised: list[str] | None = None

    def __post_init__(self) -> None:
        for key in ("l1", "l2"):
            check_range(f"task.{key}", getattr(self, key) or 0.0, at_least=0, below=math.inf)
        if self.max_norm is not None:
            check_range("task.max_norm", self.max_norm, above=0, below=math.inf)
        if self.penalised is not None and not self.has_effect:
            raise ValueError(
                f"task.penalised={as_yaml(self.penalised)}: must be null without task.l1, task.l2 or task.max_norm."
            )

    @property
    def has_penalty(self) -> bool:
        """Whether the training loss has a penalty."""
        return bool(self.l1 or self.l2)

    @property
    def has_effect(self) -> bool:
        """Whether any weight is kept small."""
        return self.has_penalty or self.max_norm is not None

    @classmethod
    def split(cls, task: dict[str, Any], own: Collection[str] = ()) -> tuple[Regularisation, dict[str, Any]]:
        """Split the config node `task` into these options and the node of the task's class.

        Args:
            task: the node.
            own: options of the class itself, which gets them if they are set.

        Raises:
            ValueError: see `Regularisation`.
        """
        kept = {key: value for key, value in task.items() if key not in OPTIONS or (key in own and value is not None)}
        return cls(**{key: value for key, value in task.items() if key in OPTIONS and key not in kept}), kept


# Name of each option -> its type annotation.
OPTIONS = {option.name: str(option.type) for option in fields(Regularisation)}
