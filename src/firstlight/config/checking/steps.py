"""Steps of an augmentation as a config names them: `random_resized_crop` is firstlight.augment.RandomResizedCrop."""

import functools
import re
from typing import Any

from firstlight.config.checking.signature import names, parameters

_PACKAGE = "firstlight.augment"
# What an augmentation has besides steps.
OPTIONS = {"size": "int | None", "views": "int", "padding": "str"}


def step_target(name: str) -> str:
    """The class of the step with this name."""
    return f"{_PACKAGE}.{name.title().replace('_', '')}"


@functools.cache
def step_names() -> tuple[str, ...]:
    """All steps that there are: what the package exports and has a probability. Nothing is imported."""
    steps = [name for name in names(_PACKAGE) if "p" in (parameters(f"{_PACKAGE}.{name}") or ())]
    return tuple(re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower() for name in steps)


def add_targets(augment: dict[str, Any]) -> None:
    """Each step gets the class that its key stands for, unless it has a `_target_` of its own."""
    for name, step in augment.items():
        if isinstance(step, dict) and "_target_" not in step:
            augment[name] = {"_target_": step_target(name)} | step


def without_steps(augment: dict[str, Any]) -> dict[str, Any]:
    """The augmentation of what is only measured: it needs no steps, nor the files that they are made of."""
    return {key: value for key, value in augment.items() if not isinstance(value, dict)}
