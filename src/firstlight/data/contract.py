"""What the `read` of a data set returns, checked: a mistake in it is named, and not trained on."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from firstlight.checks import suggestion
from firstlight.data.located import located
from firstlight.data.store import Arrays

SPLITS = ("train", "val", "test")

_INPUTS = (
    "images (samples, channels, height, width) of uint8, numbers (samples, columns) of float32 or tokens"
    " (samples, length) of int32"
)
_TARGETS = (
    "classes (samples,) of int64, numbers (samples, targets) of float32, labels (samples, labels) of uint8, or for"
    " images masks (samples, height, width) of uint8 or boxes (samples, objects, 5) of float32"
)


def checked(
    owner: str, labels: Sequence[str], splits: Mapping[str, Any], vocabulary: Sequence[str] = ()
) -> tuple[tuple[str, ...], dict[str, Arrays]]:
    """Return the labels and arrays of a data set with the shapes and types of `Split`.

    Tensors, other whole numbers and other floats are converted, if that loses nothing.

    Args:
        owner: name of the class, for messages.
        labels: names of the classes, tokens or targets.
        splits: inputs and targets of `train` and, where they exist, of `val` and `test`.
        vocabulary: the tokens of texts that are classified; empty for other samples.

    Raises:
        ValueError: the arrays are no samples of one kind, differ in shape or length, or contain NaN or classes beyond
            the labels. The message names the split.
    """
    if isinstance(labels, str) or not all(isinstance(label, str) for label in labels):
        raise _wrong(owner, "the labels as texts, such as ('cat', 'dog')", f"{labels!r:.60}")
    if unknown := [name for name in splits if name not in SPLITS]:
        raise ValueError(f"data: {owner}.read returns an unknown split '{unknown[0]}'{suggestion(unknown[0], SPLITS)}")
    if "train" not in splits:
        raise _wrong(owner, "the split 'train'", f"only {', '.join(splits) or 'an empty dict'}")
    found = {
        name: _split(f"{owner}.read", name, tuple(labels), pair, tuple(vocabulary)) for name, pair in splits.items()
    }
    train = found["train"]
    for name, arrays in found.items():
        forms = [(part.dtype, part.shape[1:]) for part in (*arrays, *train)]
        if forms[:2] != forms[2:]:
            raise _wrong(owner, f"the same kind and shape of samples in {name} as in train", _form(arrays, train))
    return tuple(labels), found


def _wrong(owner: str, due: str, found: str) -> ValueError:
    return ValueError(f"data: {owner}.read must return {due}, and returns {found}.")


def _form(arrays: Arrays, train: Arrays) -> str:
    return " and ".join(
        ", ".join(f"{part.dtype} {part.shape[1:]}" for part in pair) for pair in (tuple(arrays), tuple(train))
    )


def _split(owner: str, name: str, labels: tuple[str, ...], pair: Any, vocabulary: tuple[str, ...] = ()) -> Arrays:
    """Check one split; `owner` is what the messages name."""
    try:
        inputs, targets = (np.asarray(part) for part in pair)
    except (TypeError, ValueError):
        raise ValueError(f"data: {owner} must return a pair of inputs and targets for {name}.") from None
    if len(inputs.shape) == 0 or len(inputs) == 0:
        raise ValueError(f"data: {owner} must return samples for {name}, and it is empty.")
    if targets.ndim == 0 or len(inputs) != len(targets):
        number = f"{len(targets):,}" if targets.ndim else "no"
        raise ValueError(f"data: {owner} must return a target for each input: {name} has {len(inputs):,} and {number}.")
    is_tokens = _is_whole(inputs) and inputs.ndim == 2 and inputs.dtype != np.uint8
    place = f"data: {owner} returns in {name}"
    inputs = _inputs(place, inputs)
    if vocabulary:
        _check_texts(place, inputs, vocabulary)
    is_continued = is_tokens and not vocabulary
    targets = _tokens(place, inputs, targets) if is_continued else _targets(place, labels, inputs, targets)
    if is_continued:
        _check_numbers(f"{place} tokens", inputs, labels)
    if targets.dtype in (np.int32, np.int64):
        _check_numbers(f"{place} {'tokens' if is_continued else 'classes'}", targets, labels)
    return Arrays(inputs, targets)


def _is_whole(array: np.ndarray) -> bool:
    return np.issubdtype(array.dtype, np.integer)


def _inputs(place: str, inputs: np.ndarray) -> np.ndarray:
    if inputs.dtype == np.uint8 and inputs.ndim == 4:
        return inputs
    if np.issubdtype(inputs.dtype, np.floating) and inputs.ndim == 2:
        return _finite(f"{place} inputs", inputs)
    if _is_whole(inputs) and inputs.ndim == 2 and inputs.dtype != np.uint8:
        return inputs.astype(np.int32, copy=False)
    raise ValueError(f"{place} inputs {inputs.shape} of {inputs.dtype}; they must be {_INPUTS}.")


def _targets(place: str, labels: tuple[str, ...], inputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    if _is_whole(targets) and targets.ndim == 1:
        return targets.astype(np.int64, copy=False)
    if targets.ndim == 3 and inputs.dtype == np.uint8:
        return located(place, labels, inputs.shape[2:], targets)
    if targets.dtype in (np.bool_, np.uint8) and targets.ndim == 2:
        return _label_sets(place, labels, targets.astype(np.uint8, copy=False))
    if np.issubdtype(targets.dtype, np.floating) and targets.ndim <= 2:
        numbers = _finite(f"{place} targets", targets.reshape(len(targets), -1))
        if numbers.shape[1] == len(labels):
            return numbers
        raise ValueError(f"{place} {numbers.shape[1]} targets for each sample, but {len(labels)} labels.")
    raise ValueError(f"{place} targets {targets.shape} of {targets.dtype}; they must be {_TARGETS}.")


def _label_sets(place: str, labels: tuple[str, ...], targets: np.ndarray) -> np.ndarray:
    """Check for each label whether it fits: (samples, labels), 0 or 1."""
    if targets.shape[1] != len(labels) or targets.max() > 1:
        raise ValueError(
            f"{place} targets {targets.shape} up to {targets.max()}; with {len(labels)} labels they must be 0 or 1 for"
            " each of them."
        )
    return targets


def _tokens(place: str, inputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    if _is_whole(targets) and targets.shape == inputs.shape:
        return targets.astype(np.int32, copy=False)
    raise ValueError(
        f"{place} inputs of whole numbers, which are tokens, and targets {targets.shape} of {targets.dtype}; they must"
        f" be the next tokens, {inputs.shape} of int32. Inputs that are numbers must be float32."
    )


def _check_texts(place: str, inputs: np.ndarray, vocabulary: tuple[str, ...]) -> None:
    """Check texts that are classified: tokens (samples, length), and -1 after the end of each."""
    if inputs.dtype != np.int32:
        raise ValueError(f"{place} inputs of {inputs.dtype}; with a vocabulary they must be tokens of int32.")
    is_token = inputs >= 0
    if not is_token[:, 0].all() or (is_token[:, 1:] & ~is_token[:, :-1]).any() or inputs.min() < -1:
        raise ValueError(f"{place} texts with gaps; each must have a token, and -1 after its end alone.")
    _check_numbers(f"{place} tokens", inputs[is_token], vocabulary)


def _finite(place: str, array: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        array = array.astype(np.float32, copy=False)
    bad = ~np.isfinite(array).all(1)
    if bad.any():
        raise ValueError(f"{place} with NaN or infinite numbers, the first in sample {bad.argmax():,}.")
    return array


def _check_numbers(place: str, numbers: np.ndarray, labels: tuple[str, ...]) -> None:
    low, high = int(numbers.min()), int(numbers.max())
    if low < 0 or high >= len(labels):
        wrong = low if low < 0 else high
        raise ValueError(
            f"{place} with the number {wrong}; with {len(labels)} labels they must be 0 to {len(labels) - 1}."
        )
