"""Check the options that every network, optimizer, task and run has, and split them from those of its class."""

import ast
import importlib.util
from collections.abc import Iterable
from typing import Any

from firstlight.checks import check_range, suggestion
from firstlight.config.checking.lightning_classes import is_data_module, is_lightning_module
from firstlight.config.checking.source_code.signature import Parameters, parameters
from firstlight.config.options import (
    PARAMETERS,
    REGULARISATION,
    TRANSFER,
    WATCH,
    ParameterOptions,
    Regularisation,
    Transfer,
    Watch,
)
from firstlight.config.values import as_yaml, check_value

METRICS = "metrics"
"""The option of `task` that holds further metrics, see `checking.metrics`."""

_AT_LEAST_ZERO = {"lr", "weight_decay", "momentum", "eps"}


def split_model(node: dict[str, Any]) -> tuple[Transfer, dict[str, Any]]:
    """Check the options of `model` that every network has, and return them and the node of the network's class.

    Raises:
        ValueError: an option has the wrong type or is out of its range.
    """
    _check_types("model", node, TRANSFER, node.keys() & TRANSFER.keys())
    return Transfer.split(node)


def split_optimizer(node: dict[str, Any]) -> tuple[ParameterOptions, dict[str, Any]]:
    """Check the options that every optimizer has, and return them and the node of the optimizer's class.

    Raises:
        ValueError: an option has the wrong type or is below 0, a group has an unknown option, or the package timm is
            missing.
    """
    _check_types("optimizer", node, PARAMETERS, node.keys() & {"decay_biases_and_norms"})  # `groups` is checked below
    options, own = ParameterOptions.split(node)
    target = str(own["_target_"])
    if target.startswith("timm.") and importlib.util.find_spec("timm") is None:
        raise ValueError(
            f'optimizer._target_={target}: must be used with the package timm. To fix: pip install "firstlight[timm]"'
        )
    _check_numbers("optimizer", own)
    for name, group in options.groups.items():
        _check_group(f"optimizer.groups.{name}", group, target)
        _check_numbers(f"optimizer.groups.{name}", group)
    return options, own


def _check_group(key: str, group: dict[str, Any], target: str) -> None:
    """Check that the optimizer has the options of a group, and that their values have the right types."""
    accepted = _parameters(target)
    if accepted is None:
        return
    names, class_name = list(accepted)[1:], target.rpartition(".")[2]  # the first one is the parameters
    for option, value in group.items():
        if option not in names:
            raise ValueError(f"{key}.{option}: unknown option of {class_name}{suggestion(option, names, key)}")
        annotation = accepted[option]
        if annotation is not None:
            check_value(f"{key}.{option}", value, annotation, class_name)


def _check_numbers(key: str, values: dict[str, Any]) -> None:
    """Check the numbers that no optimizer accepts below 0; a check of types refuses what is no number."""
    for option in sorted(_AT_LEAST_ZERO & values.keys()):
        if isinstance(values[option], int | float):
            check_range(f"{key}.{option}", values[option], at_least=0)


def split_task(node: dict[str, Any]) -> tuple[Regularisation, dict[str, Any], dict[str, Any]]:
    """Check the options that every task has, and split them from the node of the task's class.

    A class that has an option of the same name gets it.

    Returns:
        What keeps the weights small; the added metrics, without those set to null; the node of the class.

    Raises:
        ValueError: an option has the wrong type or is out of its range, or the task is a LightningModule.
    """
    given = [key for key in (*REGULARISATION, METRICS) if node.get(key) is not None]
    own = (_parameters(str(node["_target_"])) if given else None) or {}
    _check_types("task", node, REGULARISATION, [key for key in given if key != METRICS and key not in own])
    options, kept = Regularisation.split(node, own)
    if is_lightning_module(kept):
        for key, value in vars(options).items():
            if value is not None:
                raise ValueError(
                    f"task.{key}={as_yaml(value)}: must be null with a LightningModule, which has a loss of its own."
                )
    metrics = kept.get(METRICS)
    if metrics and METRICS in own:
        return options, {}, kept
    kept = {key: value for key, value in kept.items() if key != METRICS}
    if not isinstance(metrics, dict):  # null, or a value that `check_metrics` refuses
        return options, metrics or {}, kept
    return options, {name: metric for name, metric in metrics.items() if metric is not None}, kept


def check_watch(node: Any, config: dict[str, Any]) -> None:
    """Check the node `watch`, also against the loggers, the task and the data of the run.

    Raises:
        ValueError: an option is unknown, has the wrong type, is out of its range, or needs what the run does not have.
    """
    if not isinstance(node, dict):
        raise ValueError(f"watch={as_yaml(node)}: must be options, such as watch.gap=1000.")
    for key in node:
        if key not in WATCH:
            raise ValueError(f"watch.{key}: unknown option{suggestion(key, list(WATCH), 'watch')}")
        _check_types("watch", node, WATCH, [key])
    watch = Watch(**node)
    if watch == Watch():
        return
    targets = [str(each.get("_target_")) for each in (config.get("logger") or {}).values() if isinstance(each, dict)]
    if is_lightning_module(config["task"]):
        raise ValueError("watch: must be left out with a LightningModule, which logs what it sees itself.")
    if watch.gap is not None and is_data_module(config["data"]):
        raise ValueError(f"watch.gap={watch.gap}: must be null with a LightningDataModule, which has no fixed samples.")
    if watch.layers and not targets:
        raise ValueError("watch.layers=true: must be false without a logger, such as logger=tensorboard.")
    if watch.histograms and not any(target.endswith(".TensorBoard") for target in targets):
        raise ValueError("watch.histograms=true: must be false without logger=tensorboard.")


def _check_types(group: str, node: dict[str, Any], annotations: dict[str, str], keys: Iterable[str]) -> None:
    for key in keys:
        check_value(f"{group}.{key}", node[key], ast.parse(annotations[key], mode="eval").body)


def _parameters(target: str) -> Parameters | None:
    try:
        return parameters(target)
    except ValueError:  # the check of the target itself reports it
        return None
