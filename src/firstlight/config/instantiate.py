"""Build the object that a node of the config describes. No other module calls Hydra's `instantiate`."""

import copy
import inspect
import re
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate

from firstlight.config.project import is_own

_GROUPS = ("data", "augment", "model", "task", "optimizer", "averaging", "scheduler", "logger", "trainer")


def build(key: str, node: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
    """Build the object of a node: `bind`, then `call`.

    Args:
        key: the key of the node in the config, for messages.
        node: the node, with `_target_`.
        args: positional arguments before those of the node.
        kwargs: further arguments.

    Raises:
        ValueError: a value of the node is refused. The message names its key.
    """
    return call(key, bind(key, node), *args, **kwargs)


def bind(key: str, node: dict[str, Any]) -> Any:
    """Import the class or function that a node names and bind the node's values to it, as `functools.partial` does.

    `call` makes the call later with further arguments. `instantiate` itself would turn dataclasses into DictConfigs.

    Args:
        key: the key of the node in the config, for messages.
        node: the node, with `_target_`.

    Raises:
        ValueError: a nested node cannot be built. The message names its key.
    """
    if _bound is None or _has_nested(node):
        return _bind(key, node)
    name = repr(node)
    if name not in _bound:
        _bound[name] = _bind(key, node)
    return copy.deepcopy(_bound[name])


_bound: dict[str, Any] | None = None


@contextmanager
def binding_once() -> Iterator[None]:
    """Bind equal nodes once within the block, for many runs that have most nodes in common."""
    global _bound
    before, _bound = _bound, {}
    try:
        yield
    finally:
        _bound = before


def _has_nested(value: Any) -> bool:
    """Return whether a node contains others, whose objects belong to one run alone."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any((isinstance(part, dict) and "_target_" in part) or _has_nested(part) for part in parts)


def _bind(key: str, node: dict[str, Any]) -> Any:
    try:
        return instantiate(node, _partial_=True, _convert_="all")
    except InstantiationException as error:
        reason = _import_failure(error) or str(error.__cause__ or str(error).partition("full_key: ")[0])
        reason = " ".join(reason.split())
        raise ValueError(_with_key(_place(key, node, error), reason)) from error


def call(key: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a function that `bind` returned for the node at `key`, or one of its methods.

    Raises:
        ValueError: the function raises a ValueError or a TypeError. The message names the key.
    """
    try:
        return function(*args, **kwargs)
    except (ValueError, TypeError) as error:
        raise ValueError(_missing_option(key, str(error)) or _with_key(key, str(error))) from error


def _missing_option(key: str, message: str) -> str | None:
    """Return the message for options that a class requires; None for other errors."""
    found = re.match(
        r"(\w+)(?:\.__init__)?\(\) missing \d+ required (?:positional|keyword-only) arguments?: (.*)", message
    )
    if found is None:
        return None
    names = re.findall(r"'(\w+)'", found[2])
    return f"{key}.{names[0]}: must be set, because {found[1]} has no default for {', '.join(names)}."


def _place(key: str, node: dict[str, Any], error: InstantiationException) -> str:
    """Return the key of the nested node that cannot be built. OmegaConf writes `callbacks0` for the first of a list."""
    first, dot, rest = str(error).partition("full_key: ")[2].partition(".")
    name = first.rstrip("0123456789")
    if isinstance(node.get(name), list):
        first = f"{name}.{first.removeprefix(name)}"
    return f"{key}.{first}{dot}{rest}" if first else key


def _import_failure(error: InstantiationException) -> str | None:
    """Return why a module of the project cannot be imported, with the line of it that fails; None for other errors."""
    cause = error.__cause__.__cause__ if isinstance(error.__cause__, ImportError) else None
    frames = traceback.extract_tb(cause.__traceback__) if cause is not None else []
    own = [frame for frame in frames if is_own(frame.filename)]
    place = f"line {own[-1].lineno} of {own[-1].filename}" if own else ""
    return f"must be importable, and {place} raises {type(cause).__name__}: {cause}" if own else None


def _with_key(key: str, message: str) -> str:
    """Complete a message: `lr=0: must be …` becomes `optimizer.lr=0: must be …`. Keep one that starts with a group."""
    if re.match(rf"({'|'.join(_GROUPS)})[.=:]", message):
        return message
    option, equals, _ = message.partition("=")
    return f"{key}.{message}" if equals and option.isidentifier() else f"{key}: {message}"


def parameters_of(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """Return the parameters of a function or class by name; also those of base classes that get `**kwargs`."""
    makers: list[Any] = [function]
    if isinstance(function, type):
        makers = [
            vars(base)[name] for base in function.__mro__ for name in ("__new__", "__init__") if name in vars(base)
        ]
    found: dict[str, inspect.Parameter] = {}
    for maker in makers:
        try:
            parameters = list(inspect.signature(maker).parameters.values())
        except (TypeError, ValueError):  # compiled, without a signature
            continue
        own = parameters[1:] if isinstance(function, type) else parameters
        found = {p.name: p for p in own if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)} | found
        if not any(each.kind is each.VAR_KEYWORD for each in parameters):
            break
    return found
