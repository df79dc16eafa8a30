"""Classes of which there are few samples, or fewer than of others."""

import torch
from torch import Tensor

from firstlight.data import Split
from firstlight.log import logger
from firstlight.tasks import Classification, Task
from firstlight.training import launch

FEW = 10  # samples of a class, below which the user is warned
_NAMED = 5


def heed_class_sizes(task: Task, train: Split, val: Split) -> None:
    """Warn of small classes, and weigh them where `task.balance` asks for weights.

    Args:
        task: of any kind; only a classification's samples have classes.
        train: what there is to train on.
        val: what the epochs are judged by.
    """
    if not isinstance(task, Classification):
        return
    labels, counts = task.spec.labels, class_counts(train, task.spec.num_outputs)
    if launch.is_first_process():
        small = [f"{label} {count}" for label, count in zip(labels, counts.tolist(), strict=True) if count < FEW]
        if small:
            logger.warning(f"few samples to train on (below {FEW}): {_in_short(small)}")
        unseen = [
            label for label, count in zip(labels, class_counts(val, len(labels)).tolist(), strict=True) if not count
        ]
        if unseen:
            logger.warning(f"none to validate with: {_in_short(unseen)}; data.val_fraction= holds out more")
    if task.balance == "weights":
        # Where a class has no sample, no loss is weighted by it.
        task.class_weights = (counts.sum() / (len(counts) * counts.clamp_min(1))).to(task.device)


def class_counts(split: Split, num_classes: int) -> Tensor:
    """Samples of each class: (num_classes,)."""
    targets = split.targets if split.indices is None else split.targets[split.indices]
    return torch.bincount(targets, minlength=num_classes)


def _in_short(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
