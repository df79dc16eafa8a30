"""The augmentation in a config. The name `random_resized_crop` stands for firstlight.augment.RandomResizedCrop."""

import ast
import functools
import re
from typing import Any

from firstlight.checks import suggestion
from firstlight.config.checking.source_code.signature import names, parameters
from firstlight.config.values import as_yaml, check_value

_PACKAGE = "firstlight.augment"
# The options of an augmentation that are not steps.
OPTIONS = {"size": "int | None", "views": "int", "padding": "str"}


def step_target(name: str) -> str:
    """Return the dotted path of the class of a step."""
    return f"{_PACKAGE}.{name.title().replace('_', '')}"


@functools.cache
def step_names() -> tuple[str, ...]:
    """Return the names of all steps: the exports of the package that have an argument `p`. Imports nothing."""
    steps = [name for name in names(_PACKAGE) if "p" in (parameters(f"{_PACKAGE}.{name}") or ())]
    return tuple(re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower() for name in steps)


def add_targets(augment: dict[str, Any]) -> None:
    """Add to each step the `_target_` that its name stands for, unless it has one. Changes `augment` in place."""
    for name, step in augment.items():
        if isinstance(step, dict) and "_target_" not in step:
            augment[name] = {"_target_": step_target(name)} | step


def without_steps(augment: dict[str, Any]) -> dict[str, Any]:
    """Return the node of the augmentation without its steps, for evaluation."""
    return {key: value for key, value in augment.items() if not isinstance(value, dict)}


def check_augment(augment: dict[str, Any]) -> None:
    """Check the options of an augmentation and the names of its steps. A step with a `_target_` may have any name.

    Raises:
        ValueError: an option or a step is unknown, or an option has the wrong type.
    """
    for key, value in augment.items():
        if key in OPTIONS:
            check_value(f"augment.{key}", value, ast.parse(OPTIONS[key], mode="eval").body)
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


def check_no_steps(augment: dict[str, Any]) -> None:
    """Check that nothing augments the samples of a LightningDataModule, whose own transforms do so.

    Raises:
        ValueError: there is a step, or `augment.views` is set.
    """
    for key, value in augment.items():
        if isinstance(value, dict) or (key == "views" and value):
            raise ValueError(
                f"augment.{key}: must be left out, because the LightningDataModule augments its samples itself."
            )
