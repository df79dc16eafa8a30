"""Give the samples of other data the labels that a run knows."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from firstlight.data.almost import almost
from firstlight.data.record import of_columns
from firstlight.data.store import Split
from firstlight.spec import IGNORED, DataSpec


def relabelled(split: Split, found: DataSpec, spec: DataSpec) -> Split:
    """Return a split in which classes and tokens have the numbers that a run gives them.

    Args:
        split: the samples.
        found: the spec of these samples.
        spec: the spec of the run. Classes may be missing in the samples; tokens may also be new, and become `<unk>`.

    Raises:
        ValueError: the inputs are of another kind or shape, or a class is unknown to the run.
    """
    if differs := list(of_columns(spec.columns, found.columns)):
        raise ValueError(f"data: must have the columns of the run, and {differs[0]}. To fix: name the table by input=")
    if (found.kind, found.targets) != (spec.kind, spec.targets) or found.stored_shape != spec.stored_shape:
        raise ValueError(f"data: must be {_form(spec)}, as in training, and these are {_form(found)}.")
    if found.vocabulary != spec.vocabulary:
        split = replace(split, inputs=_renumbered(split.inputs, found.vocabulary, spec.vocabulary))
    if found.labels == spec.labels:
        return split
    if new := [label for label in found.labels if label not in spec.labels and spec.targets != "tokens"]:
        hint = almost(new[0], spec.labels)
        raise ValueError(
            f"data: must have labels that the run knows ({_first(spec.labels)}), and {_first(tuple(new))} is"
            f" unknown{hint}."
        )
    if spec.targets == "numbers":
        raise ValueError(f"data: must have the target {_first(spec.labels)}, and this is {_first(found.labels)}.")
    inputs = _renumbered(split.inputs, found.labels, spec.labels) if spec.targets == "tokens" else split.inputs
    return replace(split, inputs=inputs, targets=_targets(split.targets, found, spec))


def _targets(targets: Tensor, found: DataSpec, spec: DataSpec) -> Tensor:
    """Return targets that name the labels of `found` as those that name the labels of `spec`."""
    if spec.targets == "labels":
        columns = targets.new_zeros(len(targets), len(spec.labels))
        columns[:, [spec.labels.index(label) for label in found.labels]] = targets
        return columns
    if spec.targets == "masks":
        numbers = torch.where(targets == IGNORED, -1, targets.short())
        return _renumbered(numbers, found.labels, spec.labels).to(torch.uint8)  # -1 becomes IGNORED again
    if spec.targets == "boxes":
        return torch.cat([targets[..., :4], _renumbered(targets[..., 4:], found.labels, spec.labels)], -1)
    return _renumbered(targets, found.labels, spec.labels)


def _renumbered(numbers: Tensor, found: Sequence[str], known: Sequence[str]) -> Tensor:
    """Return numbers of the names that were `found` as those of the `known` names: 0 if it is new, -1 as it is."""
    places = {name: number for number, name in enumerate(known)}
    table = torch.tensor([*(places.get(name, 0) for name in found), -1], dtype=numbers.dtype)
    return table[numbers.long()]


def _form(spec: DataSpec) -> str:
    shape = "x".join(map(str, spec.stored_shape))
    return f"{spec.kind} of shape {shape} with {spec.targets} as targets"


def _first(labels: tuple[str, ...], number: int = 5) -> str:
    return ", ".join(labels[:number]) + (", …" if len(labels) > number else "")
