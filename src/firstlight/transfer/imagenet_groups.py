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


def verdicts(group: str, probabilities: Tensor) -> list[dict[str, str | float]]:
    """Return the verdict on each image: the name in the group that contains the most likely class.

    The sums of the probabilities stand beside it. They do not decide, because they compare 118 classes with 5 and with
    877: a cat whose breed the network hesitates about would be neither.

    Args:
        group: a key of `GROUPS`.
        probabilities: (images, 1000).

    Returns:
        For each image the verdict, the sum over the classes of that name, and the sum over the classes of each name and
        of "neither". The keys of the first two are `<group>` and `<group>_probability`.
    """
    names = GROUPS[group]
    found: list[dict[str, str | float]] = []
    for likeliest, values in zip(probabilities.argmax(1).tolist(), probabilities, strict=True):
        sums = {name: float(values[numbers.start : numbers.stop].sum()) for name, numbers in names.items()}
        sums["neither"] = max(0.0, 1 - sum(sums.values()))
        verdict = next((name for name, numbers in names.items() if likeliest in numbers), "neither")
        rounded = {name: round(probability, 6) for name, probability in sums.items()}
        found.append({group: verdict, f"{group}_probability": rounded[verdict], **rounded})
    return found
