"""Check the options of `task` that every task has besides `metrics`."""

import ast
from typing import Any

from firstlight.config.checking.lightning_classes import is_lightning_module
from firstlight.config.checking.source_code.signature import parameters
from firstlight.config.options.regularisation import OPTIONS, Regularisation
from firstlight.config.values import as_yaml, check_value


def split_regularisation(node: dict[str, Any]) -> tuple[Regularisation, dict[str, Any]]:
    """Check the options that keep weights small, and return them and the node of the task's class without them.

    Raises:
        ValueError: an option has the wrong type or is out of its range, or the task is a LightningModule.
    """
    given = [key for key in OPTIONS if node.get(key) is not None]
    own = _options(str(node["_target_"])) if given else ()
    for key in given:
        if key not in own:
            check_value(f"task.{key}", node[key], ast.parse(OPTIONS[key], mode="eval").body)
    options, kept = Regularisation.split(node, own)
    if is_lightning_module(kept):
        for key, value in vars(options).items():
            if value is not None:
                raise ValueError(
                    f"task.{key}={as_yaml(value)}: must be null with a LightningModule, which has a loss of its own."
                )
    return options, kept


def _options(target: str) -> list[str]:
    try:
        return list(parameters(target) or ())
    except ValueError:  # the check of the target reports it
        return []
