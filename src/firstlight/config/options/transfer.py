"""The options of `model` that every network has: weights to start from, head, and frozen parts."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from firstlight.checks import check_range, choose


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
        network = {key: value for key, value in model.items() if key not in OPTIONS}
        return cls(**{key: value for key, value in model.items() if key in OPTIONS}), network


# Name of each option -> its type annotation.
OPTIONS = {field.name: str(field.type) for field in fields(Transfer)}
