"""The option `task.metrics`: further metrics, which every task that compares outputs with targets computes."""

from typing import Any

from firstlight.config.checking.signature import parameters

KEY = "metrics"


def split_metrics(task: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split the config node `task` into the added metrics, without those set to null, and the node of the task itself.

    A class that has an option `metrics` of its own gets it.
    """
    given = task.get(KEY)
    if given and _is_own_option(str(task.get("_target_"))):
        return {}, task
    node = {key: value for key, value in task.items() if key != KEY}
    if not isinstance(given, dict):  # null, or a value that the check refuses
        return given or {}, node
    return {name: metric for name, metric in given.items() if metric is not None}, node


def _is_own_option(target: str) -> bool:
    try:
        return KEY in (parameters(target) or ())
    except ValueError:  # the check of the target reports it
        return False
