"""Check a composed config against the signatures of its classes, before torch or Lightning is imported."""

import ast
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from firstlight.checks import check_range, suggestion
from firstlight.config.checking.lightning_classes import is_data_module, is_lightning_module, unused_groups
from firstlight.config.checking.loggers import check_loggers
from firstlight.config.checking.metrics import check_metrics
from firstlight.config.checking.options import METRICS, check_watch, split_model, split_optimizer, split_task
from firstlight.config.checking.source_code.shadows import shadowed_file
from firstlight.config.checking.source_code.signature import parameters
from firstlight.config.checking.steps import OPTIONS, step_names, step_target
from firstlight.config.checking.supplied import supplied, with_interval
from firstlight.config.checking.trainer import check_trainer
from firstlight.config.options import PARAMETERS, REGULARISATION, TRANSFER
from firstlight.config.values import as_yaml, check_value

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
_MAX_NOTES = 10_000  # characters that a config.yaml may have in one value
# Keys that Hydra's `instantiate` reads itself.
_HYDRA_KEYS = ("_target_", "_partial_", "_recursive_", "_convert_", "_args_")


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
            check_value(key, value, _annotation(SETTINGS[key]))
        elif key not in known:
            raise ValueError(f"{key}: unknown key{suggestion(key, known)}")
        elif key == "logger":
            check_loggers(value)
        elif key == "watch":
            check_watch(value, config)
        elif key == "averaging" and not value:  # none
            continue
        elif not isinstance(value, dict) or "_target_" not in value:
            raise ValueError(f"{key}: must have a _target_, the class or function to call.")
    check_range("seed", config["seed"], at_least=0)
    _check_min_delta(config)
    _check_folds(config)
    if len(config.get("notes", "")) > _MAX_NOTES:
        raise ValueError(f"notes: must have at most {_MAX_NOTES:,} characters.")
    if "augment" in config:
        _check_augment(config["augment"])
    if is_data_module(config["data"]):
        _check_no_steps(config.get("augment", {}))
    if "model" in config:
        config = config | {"model": split_model(config["model"])[1]}
    if "optimizer" in config:
        config = config | {"optimizer": split_optimizer(config["optimizer"])[1]}
    _, metrics, task = split_task(config["task"])
    for path, node in _targets(config | {"task": task}):
        _check_target(path, node)
    if metrics and is_lightning_module(task):
        raise ValueError("task.metrics: must be null with a LightningModule, which logs its own metrics.")
    if metrics:
        check_metrics(metrics)
    check_trainer(config)


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
    for path, node in _targets(network, "model"):
        _check_target(path, node)


def check_arguments(function: str, values: dict[str, Any], path: str = "") -> None:
    """Compare the config of another command with the function that the command calls.

    Args:
        function: the dotted path of the function.
        values: the config, or its node at `path`.
        path: the dotted path of the node; empty for the whole config.

    Raises:
        ValueError: see `check`.
    """
    _check_target(path, {"_target_": function} | values)


def _annotation(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def _check_augment(augment: dict[str, Any]) -> None:
    """Check the names of the steps. A step with a `_target_` of its own may have any name."""
    for key, value in augment.items():
        if key in OPTIONS:
            check_value(f"augment.{key}", value, _annotation(OPTIONS[key]))
        elif isinstance(value, dict):
            if value["_target_"] == step_target(key) and key not in step_names():
                raise ValueError(f"augment.{key}: unknown step{suggestion(key, step_names(), 'augment')}")
        elif value is None:  # removes a step, of the user too
            continue
        elif key in step_names():
            raise ValueError(
                f"augment.{key}={as_yaml(value)}: must be null to remove the step. To change an option of the"
                f" step, set that option, for example augment.{key}.p=0.5."
            )
        elif key != "_target_":
            known = [*OPTIONS, *step_names()]
            raise ValueError(f"augment.{key}: unknown option or step{suggestion(key, known, 'augment')}")


def _check_no_steps(augment: dict[str, Any]) -> None:
    """Check that nothing augments the samples of a LightningDataModule, whose own transforms do so."""
    for key, value in augment.items():
        if isinstance(value, dict) or (key == "views" and value):
            raise ValueError(
                f"augment.{key}: must be left out, because the LightningDataModule augments its samples itself."
            )


def _targets(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every nested node that has a `_target_`, with its dotted path."""
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    if isinstance(node, dict) and "_target_" in node:
        yield path, node
    for key, child in children:
        yield from _targets(child, f"{path}.{key}" if path else str(key))


def _check_target(path: str, node: dict[str, Any]) -> None:
    target = str(node["_target_"])
    if shadowed := shadowed_file(target):
        name = target.partition(".")[0]
        raise ValueError(
            f"{path}._target_={target}: must be in a module with another name, because {name} is also a module of"
            f" Python or of an installed package, which comes first. To fix: rename {shadowed.relative_to(Path.cwd())}."
        )
    try:
        accepted = parameters(target)
    except ValueError as error:
        end = "" if str(error).endswith("?") else "."
        raise ValueError(f"{path}._target_={target}: {error}{end}") from None
    if accepted is None:  # unknown from the source; the call raises an error itself
        return
    name = target.rsplit(".", 1)[-1]
    passed = supplied(path, target, accepted)
    accepted = with_interval(path, target, accepted)
    for key, value in node.items():
        if key in _HYDRA_KEYS:
            continue
        full_key = f"{path}.{key}" if path else key
        if key not in accepted or key in passed:
            options = [option for option in accepted if option not in passed]
            options += {"model": TRANSFER, "task": [METRICS, *REGULARISATION], "optimizer": PARAMETERS}.get(path, ())
            raise ValueError(f"{full_key}: unknown option of {name}{suggestion(key, options, prefix=path)}")
        annotation = accepted[key]
        is_node = isinstance(value, dict) and "_target_" in value  # the type of the object that it describes is unknown
        if annotation is not None and not is_node:
            check_value(full_key, value, annotation, name)
