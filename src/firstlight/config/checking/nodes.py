"""Check the nodes of a config against the signatures of the classes and functions that they name."""

import ast
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from firstlight.checks import suggestion
from firstlight.config.checking.options import METRICS
from firstlight.config.checking.source_code.classes import ancestors, find_definition
from firstlight.config.checking.source_code.signature import (
    Parameters,
    definitions,
    descend,
    parameters,
    takes_spec,
)
from firstlight.config.options import PARAMETERS, REGULARISATION, TRANSFER
from firstlight.config.project import project_dir
from firstlight.config.values import check_value

# Keys that Hydra's `instantiate` reads itself.
_HYDRA_KEYS = ("_target_", "_partial_", "_recursive_", "_convert_", "_args_")
# Arguments that are passed by name, or under this name by all classes of a place.
_BY_NAME: dict[str, tuple[str, ...]] = {
    "augment": ("spec", "min_size"),
    "model": ("spec",),
    "task": ("spec", "network", "augment", "transfer"),
}
_SCHEDULER = "torch.optim.lr_scheduler.LRScheduler"
_INTERVAL = ast.parse("Literal['epoch', 'step']", mode="eval").body


def nodes_in(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every nested node that has a `_target_`, with its dotted path."""
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    if isinstance(node, dict) and "_target_" in node:
        yield path, node
    for key, child in children:
        yield from nodes_in(child, f"{path}.{key}" if path else str(key))


def check_node(path: str, node: dict[str, Any]) -> None:
    """Compare the keys and values of a node with the signature of its `_target_`.

    Args:
        path: the dotted path of the node.
        node: the node.

    Raises:
        ValueError: the target does not exist, a key is unknown, or a value has the wrong type.
    """
    target = str(node["_target_"])
    if shadowed := _shadowed_file(target):
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


def supplied(path: str, target: str, accepted: Parameters) -> tuple[str, ...]:
    """Return the arguments that the code passes to a target at a place of the config.

    An optimizer gets its parameters, a scheduler its optimizer, and the function of a scheduler also the length of the
    run, whatever these arguments are called. A network or a task that takes no spec gets no argument.

    Args:
        path: the dotted path of the node.
        target: the dotted path of the class or function.
        accepted: its parameters.
    """
    names = tuple(accepted)
    if path in ("model", "task") and not takes_spec(accepted):
        return ()
    if path == "optimizer":
        return names[:1]
    if path == "scheduler" and not is_scheduler_class(path, target):
        return names[:2]
    if is_scheduler_class(path, target):
        return ("optimizer",) if "optimizer" in names else names[:1]
    is_nested_function = path.startswith("scheduler.") and names[:2] == ("optimizer", "run_length")
    return names[:2] if is_nested_function else _BY_NAME.get(path, ())


def with_interval(path: str, target: str, accepted: Parameters) -> Parameters:
    """Add the option `interval` of all scheduler classes to their parameters, see `training.schedulers`."""
    return {"interval": _INTERVAL, **accepted} if is_scheduler_class(path, target) else accepted


def is_scheduler_class(path: str, target: str) -> bool:
    """Return whether a target at a place of the config is a class of schedulers, as in torch."""
    if path.split(".")[0] != "scheduler" or target.startswith("firstlight."):  # those of firstlight are functions
        return False
    definition = find_definition(target)
    return definition is not None and any(found == find_definition(_SCHEDULER) for found in ancestors(definition))


def _shadowed_file(target: str) -> Path | None:
    """Return the file of the project that defines `target`, if Python finds another module of that name first.

    Python and installed packages come first in the search, see `config.project`.
    """
    root, (first, *rest) = project_dir(), target.split(".")
    if root is None:
        return None
    own = next((path for path in (root / first / "__init__.py", root / f"{first}.py") if path.is_file()), None)
    if own is None or not rest or _imported_from(first) in (None, own):
        return None
    path, names = descend(own, rest)
    return own if path is not None and len(names) == 1 and names[0] in definitions(path) else None


def _imported_from(module: str) -> Path | str | None:
    """Return the file of the module that Python would import; a word for one without a file; None if there is none."""
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return None
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin) if Path(spec.origin).is_absolute() else spec.origin
