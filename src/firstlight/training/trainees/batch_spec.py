"""Derive the spec of data from a batch of a LightningDataModule, which says nothing about itself."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from firstlight.spec import DataSpec

_SHAPES = "images (batch, channels, height, width) or numbers (batch, columns)"


def spec_of_batches(data: Any, batches: Iterable[Any]) -> DataSpec:
    """Return the spec of the samples that a LightningDataModule yields.

    Inputs are taken as they are: the mean and the standard deviation of the spec change nothing. The classes are those
    of an attribute `classes` or `num_classes` of the data or of its data set; without one, the labels of the training
    batches are counted once.

    Args:
        data: the LightningDataModule.
        batches: its training batches. Their data set may have an attribute `dataset`.

    Raises:
        ValueError: a batch is no pair of tensors, or is neither images nor numbers.
    """
    inputs, targets = as_pair(next(iter(batches)))
    shape = tuple(inputs.shape[1:])
    if len(shape) == 3:
        mean, std = (0.0,) * shape[0], (1 / 255,) * shape[0]
    elif len(shape) == 1 and inputs.is_floating_point():
        mean, std = (0.0,) * shape[0], (1.0,) * shape[0]
    else:
        raise ValueError(f"data: must yield {_SHAPES}, not {inputs.dtype} of the shape {tuple(inputs.shape)}.")
    if targets.is_floating_point():
        labels = tuple(f"target {number}" for number in range(1, targets.shape[1] + 1))
        return DataSpec(shape, len(labels), labels, mean, std, 0, (0.0,) * len(labels), (1.0,) * len(labels))
    labels = _classes(data, batches)
    return DataSpec(shape, len(labels), labels, mean, std)


def as_pair(batch: Any) -> tuple[Tensor, Tensor]:
    """Return a batch as float inputs (batch, ...) and targets: classes (batch,), int64, or numbers (batch, targets).

    Images of whole numbers from 0 to 255 become numbers from 0 to 1.

    Raises:
        ValueError: the batch is no pair of tensors.
    """
    if not isinstance(batch, Sequence) or len(batch) != 2 or not all(isinstance(part, Tensor) for part in batch):
        raise ValueError(
            f"data: must yield batches of two tensors, inputs and targets, for a task of firstlight, not"
            f" {_kind(batch)}. To fix: change the batches, or use a LightningModule as task."
        )
    inputs, targets = batch
    if inputs.dtype == torch.uint8:
        inputs = inputs.float() / 255
    if targets.is_floating_point():
        return inputs, targets.float().reshape(len(targets), -1)
    return inputs, targets.long()


def _kind(batch: Any) -> str:
    if isinstance(batch, Sequence) and not isinstance(batch, str):
        return f"{len(batch)} of the types {', '.join(type(part).__name__ for part in batch)}"
    return f"a {type(batch).__name__}"


def _classes(data: Any, batches: Iterable[Any]) -> tuple[str, ...]:
    """Return the names of the classes, which are numbers if nothing names them."""
    places = [data]
    dataset = getattr(batches, "dataset", None)
    while dataset is not None and len(places) < 10:  # subsets and other wrappers
        places.append(dataset)
        dataset = getattr(dataset, "dataset", None) or next(iter(getattr(dataset, "datasets", ())), None)
    for place in places:
        names, number = getattr(place, "classes", None), getattr(place, "num_classes", None)
        if isinstance(names, list | tuple) and names:
            return tuple(map(str, names))
        if isinstance(number, int) and number > 0:
            return tuple(map(str, range(number)))
    largest = max(int(as_pair(batch)[1].max()) for batch in batches)
    return tuple(map(str, range(largest + 1)))
