"""Classes of which there are few samples, or fewer than of others."""

import torch
from torch import Tensor

from firstlight.data import Split
from firstlight.log import logger
from firstlight.tasks import Classification, Task

FEW = 10  # samples of a class, below which the user is warned
_NAMED = 5


def heed_class_sizes(task: Task, train: Split) -> None:
    """Warn of small classes, and weigh them where `task.balance` asks for weights.

    Args:
        task: of any kind; only a classification's samples have classes.
        train: what there is to train on.
    """
    if not isinstance(task, Classification):
        return
    counts = class_counts(train, task.spec.num_outputs)
    small = [(label, count) for label, count in zip(task.spec.labels, counts.tolist(), strict=True) if count < FEW]
    if small:
        named = ", ".join(f"{label} {count}" for label, count in small[:_NAMED])
        more = f" and {len(small) - _NAMED} more classes" if len(small) > _NAMED else ""
        logger.warning(f"few samples to train on (below {FEW}): {named}{more}")
    if task.balance == "weights":
        # Where a class has no sample, no loss is weighted by it.
        task.class_weights = (counts.sum() / (len(counts) * counts.clamp_min(1))).to(task.device)


def class_counts(split: Split, num_classes: int) -> Tensor:
    """Samples of each class: (num_classes,)."""
    targets = split.targets if split.indices is None else split.targets[split.indices]
    return torch.bincount(targets, minlength=num_classes)
