"""The names of classes where data sets of other packages keep them: the one place that knows such attributes."""

from collections.abc import Mapping, Sequence
from typing import Any

_LISTS = ("classes", "categories")  # most of torchvision; its Caltech101
_NUMBERS = ("class_to_idx",)  # name -> number: torchvision's LFWPeople, and many others
_INNER = ("dataset", "datasets")  # torch's Subset and ConcatDataset


def class_names(dataset: Any, label: str | int | None = None) -> tuple[str, ...] | None:
    """Return the names of the classes by number; None if the data set has none.

    Looked at are `classes`, `categories` and `class_to_idx`, the `features` of Hugging Face, and the same attributes of
    the data sets inside of a `Subset` or `ConcatDataset`.

    Args:
        dataset: a data set of any package.
        label: the column of the labels, for `features`.
    """
    feature = getattr(dataset, "features", None)
    if isinstance(feature, Mapping) and (names := getattr(feature.get(label), "names", None)):
        return tuple(map(str, names))
    for attribute in _LISTS:
        if isinstance(names := getattr(dataset, attribute, None), Sequence) and not isinstance(names, str) and names:
            return tuple(_name(name) for name in names)
    for attribute in _NUMBERS:
        if isinstance(numbers := getattr(dataset, attribute, None), Mapping) and numbers:
            return _by_number(numbers)
    for attribute in _INNER:
        inner = getattr(dataset, attribute, None)
        inner = inner[0] if isinstance(inner, list | tuple) and inner else inner
        if inner is not None and (found := class_names(inner, label)):
            return found
    return None


def _name(name: Any) -> str:
    """Return the name of a class; torchvision's ImageNet has several for each, of which the first is the usual."""
    return str(name[0]) if isinstance(name, tuple | list) and name else str(name)


def _by_number(numbers: Mapping[Any, Any]) -> tuple[str, ...] | None:
    if sorted(numbers.values()) != list(range(len(numbers))):
        return None
    return tuple(str(name) for name in sorted(numbers, key=lambda name: numbers[name]))
