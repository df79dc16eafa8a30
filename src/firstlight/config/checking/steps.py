"""Names of augmentation steps in a config: `random_resized_crop` stands for firstlight.augment.RandomResizedCrop."""

import functools
import re
from typing import Any

from firstlight.config.checking.source_code.signature import names, parameters

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
