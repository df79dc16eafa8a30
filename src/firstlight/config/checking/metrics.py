"""The option `task.metrics`: further metrics of any task. They are checked without an import of torchmetrics."""

import ast
import re
from typing import Any

from firstlight.checks import choose, nearest, suggestion
from firstlight.config.checking.source_code.classes import ancestors, find_definition
from firstlight.config.checking.source_code.signature import Parameters, find_module, names
from firstlight.config.values import as_yaml, check_value

METRIC = "torchmetrics.Metric"
DIRECTION = "direction"
# Options of every metric, which torchmetrics.Metric takes as **kwargs.
_OPTIONS = ("compute_on_cpu", "compute_with_cache", "sync_on_compute")
_HYDRA_KEYS = ("_target_", "_recursive_", "_convert_", "_args_")


def check_metrics(metrics: Any) -> None:
    """Check the option `task.metrics`: a node with a `_target_` for each name.

    Raises:
        ValueError: a name, a class or an argument is wrong. The message names its key.
    """
    if not isinstance(metrics, dict):
        raise ValueError(f"task.metrics={metrics}: must be a node with a _target_ for each name, or null.")
    for name, node in metrics.items():
        _check_metric(f"task.metrics.{name}", str(name), node)


def _check_metric(key: str, name: str, node: Any) -> None:
    if not re.fullmatch(r"[A-Za-z0-9]\w*", name):
        raise ValueError(f"{key}: must have a name of letters, digits and underscores.")
    if not isinstance(node, dict) or not isinstance(node.get("_target_"), str):
        raise ValueError(f"{key}={as_yaml(node)}: must have a _target_, such as torchmetrics.AUROC.")
    if node.get(DIRECTION) is not None:
        choose(f"{key}.{DIRECTION}", str(node[DIRECTION]), ("min", "max"), "direction")
    accepted = _parameters(key, node["_target_"])
    for option, value in node.items():
        if option in (*_HYDRA_KEYS, DIRECTION) or accepted is None:
            continue
        class_name = node["_target_"].rpartition(".")[2]
        if option not in accepted:
            raise ValueError(f"{key}.{option}: unknown option of {class_name}{suggestion(option, [*accepted], key)}")
        annotation = accepted[option]
        if annotation is not None and not (isinstance(value, dict) and "_target_" in value):
            check_value(f"{key}.{option}", value, annotation, class_name)


def _parameters(key: str, target: str) -> Parameters | None:
    """Return the parameters of a metric's class and of its base classes; None if the source does not show all.

    Raises:
        ValueError: the class does not exist, or is no metric.
    """
    try:
        find_module(target)
    except ValueError as error:
        raise ValueError(f"{key}._target_={target}: {error}.") from None
    definition = find_definition(target)
    if definition is None:
        found = _nearest(target)
        hint = f", did you mean '{found}'?" if found else " of a module."
        raise ValueError(f"{key}._target_={target}: unknown class{hint}")
    base, accepted, is_complete = find_definition(METRIC), Parameters(), False
    family = list(ancestors(definition))
    if base not in family:
        raise ValueError(f"{key}._target_={target}: must be a subclass of {METRIC}.")
    for each in family[: family.index(base)]:
        assert isinstance(each.statement, ast.ClassDef)
        makers = [
            s for s in each.statement.body if isinstance(s, ast.FunctionDef) and s.name in ("__new__", "__init__")
        ]
        for maker in makers:
            arguments = maker.args
            named = (arguments.posonlyargs + arguments.args)[1:] + arguments.kwonlyargs
            accepted = {argument.arg: argument.annotation for argument in named} | accepted
            is_complete = is_complete or arguments.kwarg is None
        if is_complete:
            return accepted
    return accepted | dict.fromkeys(_OPTIONS)


def _nearest(target: str) -> str | None:
    """Return the class with the most similar name in the same module; None if none is similar."""
    package, _, name = target.rpartition(".")
    path, rest = find_module(package) if package else (None, [])
    found = nearest(name, names(package)) if path is not None and not rest else None
    return f"{package}.{found}" if found else None
