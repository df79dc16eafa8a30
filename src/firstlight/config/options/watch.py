"""The options of `watch`: what a run looks at while it trains, besides its metrics."""

from __future__ import annotations

import ast
from dataclasses import dataclass, fields
from typing import Any, Literal

from firstlight.checks import check_range, suggestion
from firstlight.config.values import as_yaml, check_value


@dataclass(frozen=True)
class Watch:
    """What a run looks at while it trains; see `training.watching`. Nothing of the training changes.

    Attributes:
        gap: number of training samples that are evaluated as the validation split is; None for none.
        layers: whether the norms of each layer's weights and gradients, the size of its updates and the fraction of
            dead ReLUs are logged.
        histograms: whether TensorBoard gets histograms of each layer's weights and gradients.
        every: when layers are looked at: in the last step of each "epoch", or in every n-th step.

    Raises:
        ValueError: a number is below 1.
    """

    gap: int | None = None
    layers: bool = False
    histograms: bool = False
    every: int | Literal["epoch"] = "epoch"

    def __post_init__(self) -> None:
        if self.gap is not None:
            check_range("watch.gap", self.gap, at_least=1)
        if not isinstance(self.every, str):
            check_range("watch.every", self.every, at_least=1)

    @property
    def sees_layers(self) -> bool:
        """Whether the run looks at its layers."""
        return self.layers or self.histograms

    @classmethod
    def parse(cls, node: Any) -> Watch:
        """Return the options of the config node `watch`.

        Raises:
            ValueError: an option is unknown, has the wrong type or is out of its range.
        """
        if not isinstance(node, dict):
            raise ValueError(f"watch={as_yaml(node)}: must be options, such as watch.gap=1000.")
        for key, value in node.items():
            if key not in OPTIONS:
                raise ValueError(f"watch.{key}: unknown option{suggestion(key, list(OPTIONS), 'watch')}")
            check_value(f"watch.{key}", value, ast.parse(OPTIONS[key], mode="eval").body)
        return cls(**node)


# Name of each option -> its type annotation.
OPTIONS = {option.name: str(option.type) for option in fields(Watch)}
