"""The options that every network, optimizer, task and run has, besides those of its class."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from firstlight.checks import check_range, choose, printable
from firstlight.config.values import as_yaml


@dataclass(frozen=True)
class Transfer:
    """Options for transfer learning.

    Attributes:
        weights: initial weights of the network: a name that its class knows, a file, or a run folder; None for random
            weights.
        head: `linear`, `mlp` or `spatial` to replace the last layer of the network, see `replace_head`; None to keep
            it.
        freeze: `backbone` to train the head alone; None to train all layers.
        unfreeze_at_epoch: first epoch, counted from 1, in which the backbone is trained too; None for never.
        unfreeze_every: epochs between unfreezing a stage of the backbone and the stage before it, from the last
            stage to the first (gradual unfreezing; Howard & Ruder 2018, section 3.3); None to unfreeze all stages at
            once.
        lr_decay: learning rate of a stage as a fraction of the rate of the next stage (discriminative fine-tuning;
            ibid., section 3.2).
        keep_statistics: whether batch normalisation uses its stored mean and variance in training too, while its
            scale and shift are trained; None for True if the network starts from weights. The weights fit the
            statistics of the large data set that they were trained on, and small batches have other statistics.

    Raises:
        ValueError: a value is out of range or unknown, or needs another option.
    """

    weights: str | None = None
    head: str | None = None
    freeze: str | None = None
    unfreeze_at_epoch: int | None = None
    unfreeze_every: int | None = None
    lr_decay: float = 1.0
    keep_statistics: bool | None = None

    def __post_init__(self) -> None:
        if self.freeze is not None:
            choose("model.freeze", self.freeze, ["backbone"], "part of the network")
        if self.unfreeze_at_epoch is not None:
            if self.freeze is None:
                raise ValueError(
                    f"model.unfreeze_at_epoch={self.unfreeze_at_epoch}: must be null without model.freeze=backbone."
                )
            check_range("model.unfreeze_at_epoch", self.unfreeze_at_epoch, at_least=2)
        if self.unfreeze_every is not None:
            if self.unfreeze_at_epoch is None:
                raise ValueError(
                    f"model.unfreeze_every={self.unfreeze_every}: must be null without model.unfreeze_at_epoch."
                )
            check_range("model.unfreeze_every", self.unfreeze_every, at_least=1)
        check_range("model.lr_decay", self.lr_decay, above=0, at_most=1)

    @property
    def uses_stored_statistics(self) -> bool:
        """Whether batch normalisation uses its stored statistics in training."""
        return self.weights is not None if self.keep_statistics is None else self.keep_statistics

    @property
    def asks_for_parts(self) -> bool:
        """Whether an option treats head and backbone differently."""
        return bool(self.head or self.freeze) or self.lr_decay != 1

    @classmethod
    def split(cls, model: dict[str, Any]) -> tuple[Transfer, dict[str, Any]]:
        """Split the config node `model` into the options for transfer learning and the node of the network.

        Raises:
            ValueError: see `Transfer`.
        """
        network = {key: value for key, value in model.items() if key not in TRANSFER}
        return cls(**{key: value for key, value in model.items() if key in TRANSFER}), network


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
        own = {key: value for key, value in optimizer.items() if key not in PARAMETERS}
        found = {key: value for key, value in optimizer.items() if key in PARAMETERS}
        if found.get("groups", {}) is None:
            del found["groups"]
        return cls(**found), own


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
        found = {key: task[key] for key in task if key in REGULARISATION and (key not in own or task[key] is None)}
        return cls(**found), {key: value for key, value in task.items() if key not in found}


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
    def has_effect(self) -> bool:
        """Whether the run looks at anything."""
        return self.gap is not None or self.sees_layers

    @property
    def sees_layers(self) -> bool:
        """Whether the run looks at its layers."""
        return self.layers or self.histograms


def _annotations(options: type) -> dict[str, str]:
    return {option.name: str(option.type) for option in fields(options)}


TRANSFER = _annotations(Transfer)
"""The type annotation of each option of `model`, by its name."""

PARAMETERS = _annotations(ParameterOptions)
"""The same for `optimizer`."""

REGULARISATION = _annotations(Regularisation)
"""The same for `task`."""

WATCH = _annotations(Watch)
"""The same for `watch`."""
