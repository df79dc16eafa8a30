"""How a network goes on from what another has learned: `model`'s options besides those of the network itself."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True)
class Transfer:
    """What `model` says of weights, head and backbone.

    Attributes:
        weights: where the network starts: a name that its class knows, or a file; None for random weights.
        head: linear or mlp in place of the network's own last layer; None for that.
        freeze: "backbone": all but the head stays as it is; None: nothing.
        unfreeze_at_epoch: from which epoch on, counted from 1, the backbone learns too; None: never.
        unfreeze_every: epochs between one stage of the backbone, the last one first, and the next (gradual
            unfreezing; Howard & Ruder 2018, section 3.2); None: all stages at once.
        lr_decay: the learning rate of a stage as a share of that of the stage after it (discriminative rates, ibid.).
        keep_statistics: whether batch normalisation goes on with the statistics that it has, as in evaluation, while
            its scale and shift may learn; None: where the network starts from weights. A small batch has others than
            the large data set of the weights, and what was learned with these is lost on them.

    Raises:
        ValueError: a value that has no meaning, or one that needs another.
    """

    weights: str | None = None
    head: str | None = None
    freeze: str | None = None
    unfreeze_at_epoch: int | None = None
    unfreeze_every: int | None = None
    lr_decay: float = 1.0
    keep_statistics: bool | None = None

    def __post_init__(self) -> None:
        if self.freeze not in (None, "backbone"):
            raise ValueError(f"model.freeze={self.freeze}: backbone, or null for nothing.")
        if self.unfreeze_at_epoch is not None and self.freeze is None:
            raise ValueError("model.unfreeze_at_epoch: nothing is frozen; it takes model.freeze=backbone.")
        if self.unfreeze_every is not None and self.unfreeze_at_epoch is None:
            raise ValueError("model.unfreeze_every: it takes model.unfreeze_at_epoch, the epoch of the first stage.")
        for name, least in {"unfreeze_at_epoch": 2, "unfreeze_every": 1}.items():
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"model.{name}={value}: {least} or more.")
        if not 0 < self.lr_decay <= 1:
            raise ValueError(f"model.lr_decay={self.lr_decay}: a share above 0, up to 1.")

    @property
    def uses_stored_statistics(self) -> bool:
        """Whether batch normalisation measures no batches."""
        return self.weights is not None if self.keep_statistics is None else self.keep_statistics

    @property
    def asks_for_parts(self) -> bool:
        """Whether anything is said of head and backbone."""
        return bool(self.head or self.freeze) or self.lr_decay != 1


# Their names, with what they may hold.
OPTIONS = {field.name: str(field.type) for field in fields(Transfer)}


def split_model(model: dict[str, Any]) -> tuple[Transfer, dict[str, Any]]:
    """What `model` holds, as these options and the network's own node.

    Raises:
        ValueError: as `Transfer`.
    """
    network = {key: value for key, value in model.items() if key not in OPTIONS}
    return Transfer(**{key: value for key, value in model.items() if key in OPTIONS}), network
