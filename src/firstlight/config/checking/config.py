"""Mistakes in a config are found before anything heavy is imported."""

import ast
from collections.abc import Iterator
from typing import Any

from firstlight.checks import suggestion
from firstlight.config.checking.signature import parameters
from firstlight.config.checking.steps import OPTIONS, step_names, step_target
from firstlight.config.checking.values import check_value, shown
from firstlight.config.transfer import OPTIONS as TRANSFER
from firstlight.config.transfer import Transfer, split_model

# What the keys of train.yaml that are no group may hold.
SETTINGS = {
    "name": "str",
    "seed": "int",
    "monitor": "str",
    "patience": "int | None",
    "output_dir": "str",
    "run_dir": "str | None",
    "resume": "str | None",
}
GROUPS = ("data", "augment", "model", "task", "optimizer", "scheduler", "trainer")
# Arguments that `build` gives, so that no config can.
SUPPLIED = ("spec", "min_size", "network", "augment", "recipe", "params", "optimizer", "plan")


def check(config: dict[str, Any]) -> None:
    """Compare every key and value of a training config with what its `_target_` takes.

    Raises:
        ValueError: for the first key that its target has no use for, or value of another type.
    """
    missing = [key for key in (*SETTINGS, *GROUPS) if key not in config]
    if missing:
        raise ValueError(f"The config lacks '{missing[0]}'.")
    for key, value in config.items():
        if key in SETTINGS:
            check_value(key, value, ast.parse(SETTINGS[key], mode="eval").body, "it")
        elif key not in GROUPS:
            raise ValueError(f"{key}: unknown key{suggestion(key, [*SETTINGS, *GROUPS])}")
        elif not isinstance(value, dict) or "_target_" not in value:
            raise ValueError(f"{key}={value}: this needs a _target_, the class or function that is called.")
    if config["seed"] < 0:
        raise ValueError(f"seed={config['seed']}: a seed is 0 or larger.")
    _check_augment(config["augment"])
    _, network = _check_transfer(config["model"])
    for path, node in _targets(config | {"model": network}):
        _check_target(path, node)


def check_model(model: dict[str, Any]) -> None:
    """The same for `model` alone.

    Raises:
        ValueError: as `check`.
    """
    _, network = _check_transfer(model)
    for path, node in _targets(network, "model"):
        _check_target(path, node)


def check_arguments(function: str, values: dict[str, Any], path: str = "") -> None:
    """Compare the config of another script with what the function behind it takes.

    Args:
        function: its dotted path.
        values: the config, or the node at `path`.
        path: of the node.

    Raises:
        ValueError: as `check`.
    """
    _check_target(path, {"_target_": function} | values)


def _check_augment(augment: dict[str, Any]) -> None:
    """Steps are named by their keys, and may have any that their own `_target_` goes with."""
    for key, value in augment.items():
        if key in OPTIONS:
            check_value(f"augment.{key}", value, ast.parse(OPTIONS[key], mode="eval").body, "it")
        elif isinstance(value, dict):
            if value["_target_"] == step_target(key) and key not in step_names():
                raise ValueError(f"augment.{key}: unknown step{suggestion(key, step_names(), 'augment')}")
        elif key in step_names() and value is not None:
            raise ValueError(
                f"augment.{key}={shown(value)}: a step takes its options by name, as in augment.{key}.p=0.5;"
                " null leaves it out."
            )
        elif key not in ("_target_", *step_names()):
            known = [*OPTIONS, *step_names()]
            raise ValueError(f"augment.{key}: unknown option or step{suggestion(key, known, 'augment')}")


def _check_transfer(model: dict[str, Any]) -> tuple[Transfer, dict[str, Any]]:
    """The options that every network has, by type and value; they are apart from the network's own."""
    for key in model.keys() & TRANSFER.keys():
        check_value(f"model.{key}", model[key], ast.parse(TRANSFER[key], mode="eval").body, "it")
    return split_model(model)


def _targets(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every node with a `_target_`, with its dotted path."""
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    if isinstance(node, dict) and "_target_" in node:
        yield path, node
    for key, child in children:
        yield from _targets(child, f"{path}.{key}" if path else str(key))


def _check_target(path: str, node: dict[str, Any]) -> None:
    target = str(node["_target_"])
    try:
        accepted = parameters(target)
    except ValueError as error:
        raise ValueError(f"{path}._target_={target}: {error}.") from None
    if accepted is None:  # only a call can tell
        return
    name = target.rsplit(".", 1)[-1]
    for key, value in node.items():
        if key in ("_target_", "_partial_", "_recursive_", "_convert_", "_args_"):
            continue
        if key not in accepted or key in SUPPLIED:
            options = [option for option in accepted if option not in SUPPLIED]
            options += TRANSFER if path == "model" else ()
            raise ValueError(f"{path}.{key}: unknown option of {name}{suggestion(key, options, prefix=path)}")
        annotation = accepted[key]
        built = isinstance(value, dict) and "_target_" in value  # what comes of it has any type
        if annotation is not None and not built:
            check_value(f"{path}.{key}" if path else key, value, annotation, name)
