"""Labels of any form as classes or numbers: whole numbers, texts, floats, arrays and tensors."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from firstlight.checks import printable

UNLABELLED = "unlabelled"

Labels = Mapping[str, Sequence[Any]]
_HOW = "To fix: task=regression predicts numbers."


def encode(
    labels: Labels, names: Sequence[str] | None, classes: bool | None, remarks: list[str]
) -> tuple[tuple[str, ...], dict[str, np.ndarray]]:
    """Return the names of the classes or targets, and the targets of each split.

    Whole numbers, true and false, and texts are classes; floats, and vectors of floats, are numbers. Without names,
    whole numbers are named by themselves, and texts are sorted. Samples without a label form one class.

    Args:
        labels: what `plain_label` has returned for each sample of each split.
        names: names of the classes by number, or of the targets; None if they are unknown.
        classes: True demands classes, and False numbers; None decides by the labels.
        remarks: list that receives lines for the user.

    Returns:
        The names, and classes (samples,), int64, or numbers (samples, targets), float32.

    Raises:
        ValueError: the labels are of different kinds, are not of the demanded one, or have no name.
    """
    kinds = {split: _kind(split, values) for split, values in labels.items()}
    if len(found := set(kinds.values())) > 1:
        both = " and ".join(f"{kind} in {split}" for split, kind in kinds.items())
        raise ValueError(f"data: must have labels of one kind, and has {both}.")
    encoded = _encode(labels, found.pop(), names, classes, remarks)
    if classes and len(encoded[0]) < 2:
        raise ValueError(f"data: must have two classes or more, and has only '{encoded[0][0]}'.")
    return encoded


def _encode(
    labels: Labels, kind: str, names: Sequence[str] | None, classes: bool | None, remarks: list[str]
) -> tuple[tuple[str, ...], dict[str, np.ndarray]]:
    if kind == UNLABELLED:
        return _unlabelled(labels, classes)
    if kind == "texts":
        return _texts(labels, names, classes)
    if kind == "whole numbers" and classes is not False:
        return _numbered(labels, names, remarks)
    return _numbers(labels, kind, names, classes, remarks)


def plain_label(label: Any) -> Any:
    """Return a label as None, a text, an int, a float or an array (targets,)."""
    if label is None or isinstance(label, str):
        return label
    array = np.asarray(label)
    if array.dtype.kind in "US":
        return str(array.reshape(-1)[0]) if array.size == 1 else label
    if array.dtype.kind not in "biuf" or array.ndim > 1:
        return label
    return array if array.size != 1 else array.reshape(-1)[0].item()


def _kind(split: str, values: Sequence[Any]) -> str:
    """Return what the labels of a split are."""
    kinds = {_kind_of_one(value) for value in values}
    if kinds == {"whole numbers", "numbers"}:
        return "numbers"
    if len(kinds) > 1:
        raise ValueError(f"data.{split}: must have labels of one kind, and has {' and '.join(sorted(kinds))}.")
    return kinds.pop()


def _kind_of_one(value: Any) -> str:
    if value is None:
        return UNLABELLED
    if isinstance(value, str):
        return "texts"
    if isinstance(value, int):  # bool is one
        return "whole numbers"
    if isinstance(value, float):
        return "numbers"
    if isinstance(value, np.ndarray):
        return "vectors" if value.dtype.kind == "f" else "vectors of whole numbers"
    raise ValueError(
        f"data: must have labels that are numbers or texts, and has {type(value).__name__} {printable(value, 40)}."
    )


def _unlabelled(labels: Labels, classes: bool | None) -> tuple[tuple[str, ...], dict[str, np.ndarray]]:
    if classes is not None:
        raise ValueError("data: must have labels, and its samples are inputs alone; model=autoencoder needs none.")
    return (UNLABELLED,), {split: np.zeros(len(values), np.int64) for split, values in labels.items()}


def _texts(
    labels: Labels, names: Sequence[str] | None, classes: bool | None
) -> tuple[tuple[str, ...], dict[str, np.ndarray]]:
    if classes is False:
        raise ValueError("data: must have numbers as labels for regression, and has texts.")
    found = {value for values in labels.values() for value in values}
    known = [name for name in names or sorted(found) if name in found]
    if unknown := sorted(found - set(known)):
        raise ValueError(f"data: must have labels that are names of its classes, and '{unknown[0]}' is none.")
    numbers = {name: number for number, name in enumerate(known)}
    return tuple(known), {
        split: np.array([numbers[value] for value in values], np.int64) for split, values in labels.items()
    }


def _numbered(
    labels: Labels, names: Sequence[str] | None, remarks: list[str]
) -> tuple[tuple[str, ...], dict[str, np.ndarray]]:
    """Return classes without gaps: names without samples are left out."""
    found = np.unique(np.concatenate([np.asarray(values, np.int64) for values in labels.values()]))
    if names is not None and not 0 <= found[0] <= found[-1] < len(names):
        wrong = found[0] if found[0] < 0 else found[-1]
        raise ValueError(f"data: must have classes from 0 to {len(names) - 1}, as many as names, and has {wrong}.")
    if names is not None and (unused := [name for number, name in enumerate(names) if number not in set(found)]):
        remarks.append(
            f"classes without samples are left out: {', '.join(unused[:9])}{', …' if len(unused) > 9 else ''}"
        )
    targets = {split: np.searchsorted(found, np.asarray(values, np.int64)) for split, values in labels.items()}
    return tuple(str(number) if names is None else names[number] for number in found.tolist()), targets


def _numbers(
    labels: Labels, kind: str, names: Sequence[str] | None, classes: bool | None, remarks: list[str]
) -> tuple[tuple[str, ...], dict[str, np.ndarray]]:
    if kind == "vectors of whole numbers" and classes is not False:
        raise ValueError(f"data: must have one class for each sample, and has vectors of whole numbers. {_HOW}")
    try:
        targets = {split: np.asarray(values, np.float32).reshape(len(values), -1) for split, values in labels.items()}
    except ValueError:
        raise ValueError("data: must have labels of one length.") from None
    if classes and all(np.array_equal(values, np.rint(values)) and values.shape[1] == 1 for values in targets.values()):
        whole = {split: values[:, 0].astype(np.int64).tolist() for split, values in targets.items()}
        return _numbered(whole, names, remarks)
    if classes:
        raise ValueError(f"data: must have classes as labels, and has {kind}. {_HOW}")
    number = {values.shape[1] for values in targets.values()}
    if len(number) > 1 or (names is not None and len(names) not in number):
        raise ValueError(
            f"data: must have as many numbers in each label as names of targets, and has {sorted(number)}."
        )
    return tuple(names or _target_names(number.pop())), targets


def _target_names(number: int) -> list[str]:
    return ["target"] if number == 1 else [f"target_{place}" for place in range(1, number + 1)]
