"""Masks and boxes, checked: each pixel and each object has a known class, and each object a place in its image."""

import numpy as np

from firstlight.spec import IGNORED, NO_OBJECT


def located(place: str, labels: tuple[str, ...], size: tuple[int, ...], targets: np.ndarray) -> np.ndarray:
    """Return masks as uint8 or boxes as float32, with the shapes of `Split`.

    Args:
        place: where the targets come from, for messages: "data: Mine.read returns in train".
        labels: names of the classes.
        size: height and width of the images.
        targets: (samples, height, width) of whole numbers, or (samples, objects, 5) of floats.

    Raises:
        ValueError: masks have another size than the images, a class is not among the labels, or a box is empty or
            leaves its image.
    """
    if np.issubdtype(targets.dtype, np.floating):
        return _boxes(place, labels, size, targets)
    if targets.shape[1:] != tuple(size):
        raise ValueError(f"{place} masks of {_form(targets.shape[1:])}; they must have the images' {_form(size)}.")
    known = np.isin(targets, [*range(len(labels)), IGNORED])
    if not known.all():
        sample = known.all((1, 2)).argmin()
        raise ValueError(
            f"{place} a mask with the class {targets[~known][0]}, the first in sample {sample:,}; they must be 0 to"
            f" {len(labels) - 1}, or {IGNORED} for pixels that are ignored."
        )
    return targets.astype(np.uint8, copy=False)


def _boxes(place: str, labels: tuple[str, ...], size: tuple[int, ...], targets: np.ndarray) -> np.ndarray:
    if targets.shape[2] != 5:
        raise ValueError(f"{place} boxes {targets.shape}; they must have left, top, right, bottom and class.")
    left, top, right, bottom, classes = np.moveaxis(targets.astype(np.float32, copy=False), 2, 0)
    is_box = classes != NO_OBJECT
    wrong = {
        "NaN or infinite numbers": ~np.isfinite(targets).all(2),
        f"a class that is not 0 to {len(labels) - 1}": is_box & ~np.isin(classes, range(len(labels))),
        "a box without area": is_box & ~((left < right) & (top < bottom)),
        "a box that leaves its image": is_box & ~((left >= 0) & (top >= 0) & (right <= size[1]) & (bottom <= size[0])),
    }
    for what, found in wrong.items():
        if found.any():
            sample, number = (int(index) for index in np.argwhere(found)[0])
            row = ", ".join(f"{value:g}" for value in targets[sample, number])
            raise ValueError(f"{place} {what}, the first in sample {sample:,}: {row}.")
    return targets.astype(np.float32, copy=False)


def _form(size: tuple[int, ...]) -> str:
    return " x ".join(map(str, size))
