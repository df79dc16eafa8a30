"""Files of weights, written by anybody: read as tensors and nothing else, and put into a network that they fit."""

import pickle
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from firstlight.spec import DataSpec
from firstlight.transfer.head import head_name

SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".ckpt")
# What reading a file raises that is damaged, or that would run code.
_DAMAGES = (
    OSError,
    EOFError,
    RuntimeError,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    pickle.UnpicklingError,
    zipfile.BadZipFile,
)


def read_weights(path: Path) -> dict[str, Tensor]:
    """Tensors by name, from `.safetensors`, or from what `torch.save` has written of a `state_dict`.

    Names lose the `module.` that several GPUs leave before them.

    Raises:
        ValueError: no such file, a damaged one, or one that holds anything but tensors.
    """
    found: Any = _read_safetensors(path) if _is_safetensors(path) else _read_pickle(path)
    if not _is_safetensors(path):
        for wrapping in ("state_dict", "model", "model_state_dict"):
            if isinstance(found, dict) and isinstance(found.get(wrapping), dict):
                found = found[wrapping]
    if not isinstance(found, dict) or not found or not all(isinstance(value, Tensor) for value in found.values()):
        raise ValueError(f"model.weights={path}: it holds no tensors by name, as a state_dict does.")
    return {str(name).removeprefix("module."): value for name, value in found.items()}


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], DataSpec, int | None]:
    """What a run knew when it wrote a checkpoint.

    Returns:
        The weights of its network, the spec of its data, and the size of images that it asked for.

    Raises:
        ValueError: no such file, a damaged one, or no checkpoint of ours.
    """
    found, prefix = _read_pickle(path), "network."
    try:
        spec, size = DataSpec.from_dict(found["spec"]), found["config"]["augment"].get("size")
        weights = {
            key.removeprefix(prefix): value for key, value in found["state_dict"].items() if key.startswith(prefix)
        }
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(
            f"model.weights={path}: no checkpoint of a run of firstlight; tensors alone are read of .pth."
        ) from error
    return weights, spec, size


def load_weights_into(
    network: nn.Module, weights: Mapping[str, Tensor], name: str, *, labels_differ: bool = False, whole: bool = False
) -> bool:
    """Put weights into a network; a head for other classes than theirs stays as it is.

    Args:
        network: to be filled; where it names prefixes in `unused_prefixes`, tensors of these are passed over. Where it
            wraps a network of others, `prefix` is what stands before that one's names.
        weights: names and shapes are those of its `state_dict`.
        name: of the weights, for people.
        labels_differ: whether their head tells other things apart, were they as many.
        whole: the head has to be among them.

    Returns:
        Whether the head is theirs.

    Raises:
        ValueError: they are another network's.
    """
    own, prefix = network.state_dict(), getattr(network, "weights_prefix", "")
    given = {key if key.startswith(prefix) else prefix + key: value for key, value in weights.items()}
    heads = tuple(f"{head}." for head in getattr(network, "head_names", [head_name(network)]) if head)
    unused: tuple[str, ...] = getattr(network, "unused_prefixes", ())
    of_head = [key for key in own if key.startswith(heads)]
    misfit = any(key not in given or given[key].shape != own[key].shape for key in of_head)
    has_head = whole or not (misfit or labels_differ)
    if not has_head:
        own = {key: value for key, value in own.items() if key not in of_head}
        unused += heads
    given = {key: value for key, value in given.items() if not key.startswith(unused)}
    for key in own:  # files from before torch 0.4.1 do without this count
        if key.endswith(".num_batches_tracked"):
            given.setdefault(key, own[key])
    for key in own:
        if key not in given:
            raise _misfit(network, name, f"they lack '{key}'")
    for key, value in given.items():
        if key not in own:
            raise _misfit(network, name, f"they hold '{key}', which it has not")
        if value.shape != own[key].shape:
            raise _misfit(network, name, f"'{key}' is {_shape(value)}, not {_shape(own[key])}")
        if value.is_floating_point() != own[key].is_floating_point():
            raise _misfit(network, name, f"'{key}' is {value.dtype}, not {own[key].dtype}")
        if value.is_floating_point() and not value.isfinite().all():
            raise ValueError(f"model.weights={name}: '{key}' holds what is no number.")
    network.load_state_dict(given, strict=False)
    return has_head


def _misfit(network: nn.Module, name: str, reason: str) -> ValueError:
    return ValueError(
        f"model.weights={name}: weights of another network than this {type(network).__name__}: {reason}."
        " Options of model, and augment.size, make it another one."
    )


def _shape(value: Tensor) -> str:
    return "x".join(map(str, value.shape)) or "a single number"


def _read_pickle(path: Path) -> Any:
    _check_file(path)
    try:
        with warnings.catch_warnings():  # torch's, of files that it has not written
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except _DAMAGES as error:
        raise _unreadable(path, error) from error


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    _check_file(path)
    try:
        return load_file(path)
    except (SafetensorError, *_DAMAGES) as error:
        raise _unreadable(path, error) from error


def _is_safetensors(path: Path) -> bool:
    return path.suffix.lower() == ".safetensors"


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise ValueError(f"model.weights={path}: there is no such file.")


def _unreadable(path: Path, error: Exception) -> ValueError:
    """torch's own words say how to run code that lies in a file; they stay in the log."""
    with path.open("rb") as file:
        if file.read(64).lstrip()[:1] == b"<":
            return ValueError(f"model.weights={path}: this is a web page.")
    return ValueError(
        f"model.weights={path}: damaged, or it holds more than tensors, as a whole module does where its state_dict"
        f" is wanted ({type(error).__name__})."
    )
