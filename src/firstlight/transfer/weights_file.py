"""Read files of weights without running code from them, and load the weights into a network."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from firstlight.files import cannot_read
from firstlight.spec import DataSpec
from firstlight.transfer.head import head_name
from firstlight.transfer.tensor_files import SUFFIXES as SUFFIXES
from firstlight.transfer.tensor_files import read_pickle, read_safetensors


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read tensors by name from a `.safetensors` file, or from a `state_dict` that `torch.save` has written.

    The prefix `module.`, which training on several GPUs puts before names, is removed.

    Raises:
        ValueError: the file does not exist, is damaged, or contains anything but tensors.
    """
    found: Any = (read_safetensors if _is_safetensors(path) else read_pickle)(path, _name(path))
    if not _is_safetensors(path):
        for key in ("state_dict", "model", "model_state_dict"):
            if isinstance(found, dict) and isinstance(found.get(key), dict):
                found = found[key]
    if not isinstance(found, dict) or not found or not all(isinstance(value, Tensor) for value in found.values()):
        raise cannot_read(_name(path), "it is not a state_dict of tensors", "save network.state_dict() alone.")
    return {str(name).removeprefix("module."): value for name, value in found.items()}


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], DataSpec, int | None]:
    """Read a checkpoint that a firstlight run has written.

    Returns:
        The weights of the network, the spec of its data, and the image size of `augment.size`.

    Raises:
        ValueError: the file does not exist, is damaged, or is not a checkpoint of firstlight.
    """
    found, prefix = read_pickle(path, _name(path)), "network."
    try:
        spec, size = DataSpec.from_dict(found["spec"]), found["config"]["augment"].get("size")
        weights = {
            key.removeprefix(prefix): value for key, value in found["state_dict"].items() if key.startswith(prefix)
        }
    except (TypeError, KeyError, AttributeError, ValueError) as error:
        why, fix = "it is not a checkpoint of firstlight", "save its state_dict alone, as a .pth file."
        raise cannot_read(_name(path), why, fix) from error
    return weights, spec, size


def load_weights_into(
    network: Any, weights: Mapping[str, Tensor], name: str, *, labels_differ: bool = False, whole: bool = False
) -> bool:
    """Load weights into a network; a head for other classes keeps its initial weights.

    Args:
        network: receives the weights; a `networks.network.Network`, or another module that is `completed`.
        weights: tensors with the names and shapes of the network's `state_dict`.
        name: name of the weights, for messages.
        labels_differ: whether the weights are for other classes, even if their number is the same.
        whole: whether the head must be loaded too.

    Returns:
        Whether the head was loaded.

    Raises:
        ValueError: a tensor is missing, unknown, of another shape or type, or contains NaN or Inf.
    """
    expected = network.state_dict()
    given = _align_names(network, weights, expected)
    heads = _head_prefixes(network)
    has_head = whole or not (labels_differ or _head_differs(given, expected, heads))
    if not has_head:
        given, expected = _without(given, heads), _without(expected, heads)
    reason = _find_difference(given, expected)
    if reason is not None:
        raise ValueError(
            f"model.weights={name}: must fit this {type(network).__name__}, but these are weights of another network:"
            f" {reason}. To fix: set the options of model, and augment.size, as they were for these weights."
        )
    for key, value in given.items():
        if value.is_floating_point() and not value.isfinite().all():
            raise ValueError(f"model.weights={name}: must be finite, but '{key}' contains NaN or Inf.")
    network.load_state_dict(given, strict=False)
    return has_head


def _align_names(network: Any, weights: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights under the names of the network, without the tensors that it ignores."""
    prefix: str = network.weights_prefix
    named = {key if key.startswith(prefix) else prefix + key: value for key, value in weights.items()}
    # Files from before torch 0.4.1 lack these counts.
    counts = {key: value for key, value in expected.items() if key.endswith(".num_batches_tracked")}
    return _without(counts | named, network.unused_prefixes)


def _head_prefixes(network: Any) -> tuple[str, ...]:
    names = network.head_names or [head_name(network)]
    return tuple(f"{name}." for name in names if name)


def _head_differs(given: Mapping[str, Tensor], expected: Mapping[str, Tensor], heads: tuple[str, ...]) -> bool:
    of_head = [key for key in expected if key.startswith(heads)]
    return any(key not in given or given[key].shape != expected[key].shape for key in of_head)


def _without(tensors: Mapping[str, Tensor], prefixes: tuple[str, ...]) -> dict[str, Tensor]:
    return {key: value for key, value in tensors.items() if not key.startswith(prefixes)}


def _find_difference(given: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> str | None:
    """Return the first difference in names, shapes or types, or None."""
    for key in expected:
        if key not in given:
            return f"'{key}' is missing"
    for key, value in given.items():
        if key not in expected:
            return f"'{key}' is unknown"
        if value.shape != expected[key].shape:
            return f"'{key}' is {_describe_shape(value)}, not {_describe_shape(expected[key])}"
        if value.is_floating_point() != expected[key].is_floating_point():
            return f"'{key}' is {value.dtype}, not {expected[key].dtype}"
    return None


def _describe_shape(value: Tensor) -> str:
    return "x".join(map(str, value.shape)) or "a single number"


def _is_safetensors(path: Path) -> bool:
    return path.suffix.lower() == ".safetensors"


def _name(path: Path) -> str:
    """Return how messages about the file begin."""
    return f"model.weights={path}"
