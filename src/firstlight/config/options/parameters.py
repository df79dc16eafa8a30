"""The options of `optimizer` that every optimizer has: which parameters decay, and options of single layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from firstlight.checks import printable


@dataclass(frozen=True)
class ParameterOptions:
    """Options of the optimizer for some of the parameters.

    Attributes:
        decay_biases_and_norms: whether `weight_decay` also applies to biases and to the parameters of normalisation
            layers.
        groups: options of some layers, by their names in the network, such as `{head: {lr: 0.01}}`; see
            `training.optimizers.groups`.

    Raises:
        ValueError: `groups` does not hold options by the names of layers.
    """

    decay_biases_and_norms: bool = True
    groups: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, options in ({"": self.groups} if not isinstance(self.groups, Mapping) else self.groups).items():
            if not isinstance(options, Mapping):
                key = f"optimizer.groups.{name}" if name else "optimizer.groups"
                raise ValueError(
                    f"{key}={printable(options, 60)}: must be options by the names of layers, such as"
                    " optimizer.groups={head: {lr: 0.01}}."
                )

    @classmethod
    def split(cls, optimizer: dict[str, Any]) -> tuple[ParameterOptions, dict[str, Any]]:
        """Split the config node `optimizer` into these options and the node of the optimizer's class.

        Raises:
            ValueError: see `ParameterOptions`.
        """
        own = {key: value for key, value in optimizer.items() if key not in OPTIONS}
        found = {key: value for key, value in optimizer.items() if key in OPTIONS}
        if found.get("groups", {}) is None:
            del found["groups"]
        return cls(**found), own


# Name of each option -> its type annotation.
OPTIONS = {option.name: str(option.type) for option in fields(ParameterOptions)}
