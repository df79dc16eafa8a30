"""What the callbacks of a run need to know about the module that is trained."""

from typing import Any, Protocol

from firstlight.tasks.metrics.meters import Meter
from firstlight.training.recovery.loss_guard import LossGuard


class Learner(Protocol):
    """The state of a training that its callbacks read, whatever module is trained.

    Attributes:
        metrics: metrics of this epoch so far, by their full names, such as "val/accuracy".
        loss_guard: checks the loss of every step.
        resumes_within_epoch: whether a run that is stopped within an epoch continues there; otherwise it repeats the
            epoch.
        is_within_epoch: whether a checkpoint that is saved now belongs to an epoch that has not ended.
        unfinished_epoch: the state of the epoch in which the run was stopped, of each rank, until it continues; None if
            it was stopped between two epochs.
        validated: the sums of the latest validation of this epoch; None before it.
    """

    metrics: dict[str, float]
    loss_guard: LossGuard
    resumes_within_epoch: bool
    is_within_epoch: bool
    unfinished_epoch: list[dict[str, Any]] | None
    validated: Meter | None
