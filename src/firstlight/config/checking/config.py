"""Check a composed config against the signatures of its classes, before torch or Lightning is imported."""

import ast
import importlib.util
import math
from typing import Any

from firstlight.checks import check_range, suggestion
from firstlight.config.checking.lightning_classes import is_data_module, is_lightning_module, unused_groups
from firstlight.config.checking.metrics import check_metrics
from firstlight.config.checking.nodes import check_node, nodes_in
from firstlight.config.checking.options import check_watch, split_model, split_optimizer, split_task
from firstlight.config.checking.steps import check_augment, check_no_steps
from firstlight.config.checking.trainer import check_trainer
from firstlight.config.template_words import template_word
from firstlight.config.values import check_value

# The types of the keys of train.yaml that are not groups.
SETTINGS = {
    "name": "str",
    "seed": "int",
    "monitor": "str",
    "monitor_mode": "Literal['min', 'max'] | None",
    "patience": "int | None",
    "min_delta": "float",
    "output_dir": "str",
    "run_dir": "str | None",
    "tags": "list[str] | str",
    "notes": "str",
    "project": "str | None",
    "kfold": "int | None",
    "fold": "int | None",
    "figures": "bool",
    "lr_find": "Literal[True, False, 'use']",
    "compile": "bool",
    "channels_last": "bool",
    "deterministic": "bool",
}
# Settings that no YAML file sets, or that run folders of earlier versions do not have.
DEFAULTS: dict[str, Any] = {
    "averaging": {},
    "monitor_mode": None,
    "min_delta": 0.0,
    "watch": {},
    "tags": [],
    "notes": "",
    "project": None,
    "kfold": None,
    "fold": None,
    "figures": True,
    "lr_find": False,
    "compile": False,
    "channels_last": True,
    "deterministic": False,
}
GROUPS = ("data", "augment", "model", "task", "optimizer", "averaging", "scheduler", "trainer")
# The packages that loggers need.
_PACKAGES = {
    "firstlight.training.loggers.WandB": "wandb",
    "firstlight.training.loggers.MLflow": "mlflow",
}
_MAX_NOTES = 10_000  # characters that a config.yaml may have in one value


def check(config: dict[str, Any]) -> None:
    """Compare every key and value of a training config with the signature of its `_target_`.

    Raises:
        ValueError: a key is missing or unknown, or a value has the wrong type. The message names the first one.
    """
    known, unused = [*SETTINGS, *GROUPS, "logger", "watch"], unused_groups(config)
    for key in known:
        if key not in config | DEFAULTS and key not in unused:
            raise ValueError(f"{key}: must be in the config.")
    for key, value in config.items():
        if key in SETTINGS:
            check_value(key, value, ast.parse(SETTINGS[key], mode="eval").body)
        elif key not in known:
            raise ValueError(
                f"{key}: unknown key{'.' + fix if (fix := template_word(key)) else suggestion(key, known)}"
            )
        elif key == "logger":
            _check_loggers(value)
        elif key == "watch":
            check_watch(value, config)
        elif key == "averaging" and not value:  # none
            continue
        elif not isinstance(value, dict) or "_target_" not in value:
            example = ", such as firstlight.augment.Augment, around its steps" if key == "augment" else ""
            raise ValueError(f"{key}: must have a _target_, the class or function to call{example}.")
    check_range("seed", config["seed"], at_least=0)
    _check_min_delta(config)
    _check_folds(config)
    if len(config.get("notes", "")) > _MAX_NOTES:
        raise ValueError(f"notes: must have at most {_MAX_NOTES:,} characters.")
    if "augment" in config:
        check_augment(config["augment"])
    if is_data_module(config["data"]):
        check_no_steps(config.get("augment", {}))
    if "model" in config:
        config = config | {"model": split_model(config["model"])[1]}
    if "optimizer" in config:
        config = config | {"optimizer": split_optimizer(config["optimizer"])[1]}
    _, metrics, task = split_task(config["task"])
    for path, node in nodes_in(config | {"task": task}):
        check_node(path, node)
    if metrics and is_lightning_module(task):
        raise ValueError("task.metrics: must be null with a LightningModule, which logs its own metrics.")
    if metrics:
        check_metrics(metrics)
    check_trainer(config)


def _check_loggers(loggers: Any) -> None:
    """Check the node `logger`: a mapping from names, which may be any words, to nodes with a `_target_`."""
    if not isinstance(loggers, dict):
        raise ValueError("logger: must be a mapping from names to nodes with a _target_.")
    for name, node in loggers.items():
        if node is not None and (not isinstance(node, dict) or "_target_" not in node):
            raise ValueError(f"logger.{name}: must have a _target_, the class of a logger.")
        package = _PACKAGES.get(str((node or {}).get("_target_")))
        if package is not None and importlib.util.find_spec(package) is None:
            raise ValueError(
                f'logger={name}: must be used with the package {package}. To fix: pip install "firstlight[{package}]"'
            )


def _check_min_delta(config: dict[str, Any]) -> None:
    """Check by how much an epoch must improve."""
    min_delta = config.get("min_delta", 0.0)
    check_range("min_delta", min_delta, at_least=0, below=math.inf)
    if min_delta and config["patience"] is None:
        raise ValueError(f"min_delta={min_delta}: must be 0 without patience, the epochs that it concerns.")


def _check_folds(config: dict[str, Any]) -> None:
    """Check the options of cross-validation."""
    kfold, fold = config.get("kfold"), config.get("fold")
    if kfold is None and fold is not None:
        raise ValueError(f"fold={fold}: must be null without kfold, the number of folds.")
    if kfold is not None:
        check_range("kfold", kfold, at_least=2)
        if is_data_module(config["data"]):
            raise ValueError(f"kfold={kfold}: must be null with a LightningDataModule, which makes its own splits.")
    if fold is not None and not 1 <= fold <= kfold:
        raise ValueError(f"fold={fold}: must be from 1 to {kfold}, the number of folds.")


def check_model(model: dict[str, Any]) -> None:
    """Check the node `model` alone.

    Raises:
        ValueError: see `check`.
    """
    _, network = split_model(model)
    for path, node in nodes_in(network, "model"):
        check_node(path, node)


def check_arguments(function: str, values: dict[str, Any], path: str = "") -> None:
    """Compare the config of another command with the function that the command calls.

    Args:
        function: the dotted path of the function.
        values: the config, or its node at `path`.
        path: the dotted path of the node; empty for the whole config.

    Raises:
        ValueError: see `check`.
    """
    check_node(path, {"_target_": function} | values)
