"""Groups of ImageNet classes, such as all breeds of dogs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from firstlight.checks import choose

if TYPE_CHECKING:
    from torch import Tensor

# Group -> name -> class indices: 118 breeds of dogs, 5 of cats.
GROUPS = {"dog_cat": {"dog": range(151, 269), "cat": range(281, 286)}}


def check_group(group: str) -> None:
    """Check that a group exists.

    Raises:
        ValueError: the group is unknown.
    """
    choose("predict.group", group, GROUPS, "group")


def check_labels(group: str, labels: tuple[str, ...]) -> None:
    """Check that a network predicts the classes of ImageNet, which the groups consist of.

    Raises:
        ValueError: the labels are other ones.
    """
    from firstlight.transfer.imagenet import imagenet_labels

    if labels != imagenet_labels():
        raise ValueError(
            f"predict.group={group}: must be null, because the network does not predict the 1000 classes of ImageNet."
            " To fix: use model=efficientnet_lite0."
        )


def verdicts(group: str, probabilities: Tensor) -> list[tuple[str, float]]:
    """Return the most likely name of a group for each image, and the probability of that name.

    The probability of a name is the sum over its classes. The name "neither" has the sum over all other classes.

    Args:
        group: a key of `GROUPS`.
        probabilities: (images, 1000).
    """
    names = GROUPS[group]
    sums = {name: probabilities[:, numbers.start : numbers.stop].sum(1).tolist() for name, numbers in names.items()}
    found = []
    for values in zip(*sums.values(), strict=True):
        named = dict(zip(names, values, strict=True)) | {"neither": max(0.0, 1 - sum(values))}
        found.append(max(named.items(), key=lambda item: item[1]))
    return found
