"""Classes of ImageNet that belong together, told apart from all others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from firstlight.checks import choose

if TYPE_CHECKING:
    from torch import Tensor

# Group -> its names, each with the numbers of its classes: 118 breeds of dogs, five of cats.
GROUPS = {"dog_cat": {"dog": range(151, 269), "cat": range(281, 286)}}


def check_group(group: str) -> None:
    """Refuse a misspelled name.

    Raises:
        ValueError: there is no such group.
    """
    choose("predict.group", group, GROUPS, "group")


def check_labels(group: str, labels: tuple[str, ...]) -> None:
    """Refuse a network that tells apart other classes.

    Raises:
        ValueError: the labels are not those of ImageNet.
    """
    from firstlight.transfer.imagenet import imagenet_labels

    if labels != imagenet_labels():
        raise ValueError(
            f"predict.group={group}: it is made of the 1000 classes of ImageNet, and the network tells apart others;"
            " model=efficientnet_lite0 knows them."
        )


def verdicts(group: str, probabilities: Tensor) -> list[tuple[str, float]]:
    """The likeliest name of a group for each image, with its probability; "neither" is the sum of all other classes.

    Args:
        group: of `GROUPS`.
        probabilities: (images, 1000).
    """
    names = GROUPS[group]
    sums = {name: probabilities[:, numbers.start : numbers.stop].sum(1).tolist() for name, numbers in names.items()}
    found = []
    for shares in zip(*sums.values(), strict=True):
        named = dict(zip(names, shares, strict=True)) | {"neither": max(0.0, 1 - sum(shares))}
        found.append(max(named.items(), key=lambda item: item[1]))
    return found
