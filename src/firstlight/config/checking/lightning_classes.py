"""Recognise LightningModules and LightningDataModules by their source code: nothing is imported.

A LightningModule as `task` has its own network, loss, optimizers and schedulers. A LightningDataModule as `data` has
its own transforms. The groups that do the same have no effect then.
"""

import re
from collections.abc import Iterable
from typing import Any

from firstlight.config.checking.source_code.classes import ancestors, find_definition

MODULE = "lightning.pytorch.LightningModule"
DATA_MODULE = "lightning.pytorch.LightningDataModule"
_REPLACED_BY_MODULE = ("model", "optimizer", "averaging", "scheduler")


def is_lightning_module(node: Any) -> bool:
    """Return whether a node of the config, such as that of the task, names a LightningModule."""
    return _is_subclass(node, MODULE)


def is_data_module(node: Any) -> bool:
    """Return whether a node of the config, such as that of the data, names a LightningDataModule."""
    return _is_subclass(node, DATA_MODULE)


def _is_subclass(node: Any, base: str) -> bool:
    target = node.get("_target_") if isinstance(node, dict) else None
    if not isinstance(target, str) or target.startswith("firstlight."):
        return False
    definition = find_definition(target)
    return definition is not None and find_definition(base) in [*ancestors(definition)]


def unused_groups(config: dict[str, Any]) -> tuple[str, ...]:
    """Return the groups that have no effect: a LightningModule or a LightningDataModule does their work."""
    has_module, has_data = is_lightning_module(config.get("task")), is_data_module(config.get("data"))
    return (*(_REPLACED_BY_MODULE if has_module else ()), *(("augment",) if has_module and has_data else ()))


def check_words(config: dict[str, Any], overrides: Iterable[str]) -> None:
    """Check that the overrides of a command line set nothing that has no effect.

    Args:
        config: the composed config.
        overrides: such as `model=mlp`.

    Raises:
        ValueError: an override sets a group that a LightningModule replaces.
    """
    unused = unused_groups(config)
    for word in overrides:
        group = re.split(r"[.=@]", word.lstrip("+~"), maxsplit=1)[0]
        if group in unused:
            name = str(config["task"]["_target_"]).rsplit(".", 1)[-1]
            parts = "data and transforms" if group == "augment" else "network, optimizers and schedulers"
            raise ValueError(
                f"{word}: must be left out, because the LightningModule {name} is trained with its own {parts}."
            )


def with_mode(config: dict[str, Any]) -> dict[str, Any]:
    """Return the config with a `monitor_mode` if a LightningModule logs the monitored metric.

    Raises:
        ValueError: `monitor_mode` is not set, and the metric is no loss.
    """
    if config.get("monitor_mode") is not None or not is_lightning_module(config.get("task")):
        return config
    monitor = config.get("monitor")
    if not isinstance(monitor, str) or not re.search(r"(^|[/_.-])loss$", monitor):
        raise ValueError(
            f"monitor_mode=null: must be min or max with monitor={monitor}, because a LightningModule does not say"
            " whether lower or higher values are better."
        )
    return config | {"monitor_mode": "min"}
