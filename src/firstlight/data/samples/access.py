"""Access to the samples of a map-style data set: its length, its samples, and the two parts of a sample."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from firstlight.checks import printable, suggestion

Keys = Sequence[str | int] | None

_EXAMPLE = "data.train={_target_: mine.MyDataset, root: ...}"


class Sample(NamedTuple):
    """An input and its label, as the data set gives them.

    Attributes:
        input: an image, an array, a tensor or a list.
        label: a number, a text, an array or a tensor; None without a label.
    """

    input: Any
    label: Any


class Pairs:
    """Inputs and labels of equal length as a data set.

    Args:
        key: what to name in messages.
        inputs: the inputs, such as an array (samples, ...).
        labels: the labels.

    Raises:
        ValueError: they differ in length.
    """

    def __init__(self, key: str, inputs: Any, labels: Any) -> None:
        if len(inputs) != len(labels):
            raise ValueError(f"{key}: must have a label for each input, and has {len(inputs):,} and {len(labels):,}.")
        self.inputs, self.labels = inputs, labels

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, index: int) -> Sample:
        return Sample(self.inputs[index], self.labels[index])


def as_dataset(key: str, value: Any) -> Any:
    """Return a data set with a length and numbered samples.

    Args:
        key: key of the config, for messages.
        value: a `torch.utils.data.Dataset` or any object with `__len__` and `__getitem__`, such as a list of samples or
            an array of unlabelled ones; or a tuple of inputs and labels.

    Raises:
        ValueError: it is something else, is empty, or can only be read in order.
    """
    if isinstance(value, tuple) and len(value) == 2:
        value = Pairs(key, *value)
    if value is None or isinstance(value, str | bytes | Mapping | int | float):
        raise ValueError(f"{key}={printable(value)}: must be a data set, for example {_EXAMPLE}.")
    name = type(value).__name__
    try:
        number = len(value)
        assert value.__getitem__  # torch's IterableDataset has one that raises an error
    except (TypeError, AttributeError, NotImplementedError):
        why = f"must have a length and numbered samples, and {name} has not"
        raise ValueError(f"{key}: {why}. To fix: give a list of its samples, or their first ones.") from None
    if not number:
        raise ValueError(f"{key}: must contain samples, and {name} is empty.")
    return value


def read_sample(key: str, dataset: Any, index: int, keys: Keys) -> Sample:
    """Return a sample.

    Args:
        key: key of the config, for messages.
        dataset: what `as_dataset` has returned.
        index: number of the sample.
        keys: names (of a dict) or places (in a tuple) of the input and of the label.

    Raises:
        ValueError: the data set cannot read the sample, or the sample is no pair of input and label.
    """
    try:
        sample = dataset[index]
    except Exception as error:  # anything may happen in another's code
        reason = f"{type(error).__name__}: {printable(error, 200)}"
        raise ValueError(f"{key}: cannot read sample {index:,} ({reason}).") from error
    return _chosen(key, sample, keys) if keys else _pair(key, sample)


def _chosen(key: str, sample: Any, keys: Sequence[str | int]) -> Sample:
    input, label = keys[0], keys[1] if len(keys) > 1 else None
    try:
        return Sample(sample[input], None if label is None else sample[label])
    except (KeyError, IndexError, TypeError):
        names = [str(name) for name in _names(sample)]
        wrong = next((str(name) for name in keys if str(name) not in names), str(keys[0]))
        raise ValueError(f"data.keys={list(keys)}: '{wrong}' is unknown{suggestion(wrong, names)}") from None


def _names(sample: Any) -> list[Any]:
    if isinstance(sample, Mapping):
        return list(sample)
    return list(range(len(sample))) if isinstance(sample, tuple | list) else []


def _pair(key: str, sample: Any) -> Sample:
    if isinstance(sample, Mapping) or (isinstance(sample, tuple | list) and not 1 <= len(sample) <= 2):
        known = ", ".join(map(str, _names(sample)))
        raise ValueError(f"{key}: must have samples of an input and a label. To fix: choose from {known} by data.keys=")
    if isinstance(sample, tuple | list):
        return Sample(sample[0], sample[1] if len(sample) == 2 else None)
    return Sample(sample, None)
