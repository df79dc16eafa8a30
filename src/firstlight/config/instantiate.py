"""From a node of the config to an object. This is the only module that calls Hydra's `instantiate`."""

import re
from collections.abc import Callable
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate

_GROUPS = ("data", "augment", "model", "task", "optimizer", "scheduler", "trainer")


def bind(key: str, node: dict[str, Any]) -> Any:
    """Import the class or function that a node names and bind the node's values to it, as `functools.partial` does.

    The call comes later, by `call`, because `instantiate` turns a dataclass among its arguments into a DictConfig.

    Args:
        key: the key of the node in the config, for messages.
        node: the node, with `_target_`.

    Raises:
        ValueError: a nested node cannot be built. The message names its key.
    """
    try:
        return instantiate(node, _partial_=True, _convert_="all")
    except InstantiationException as error:
        place = f"{key}.{str(error).rpartition('full_key: ')[2]}" if "full_key: " in str(error) else key
        reason = error.__cause__ if isinstance(error.__cause__, ValueError | TypeError) else str(error).splitlines()[0]
        raise ValueError(_with_key(place, str(reason))) from error


def call(key: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a function that comes from the node at `key`.

    Raises:
        ValueError: the function raises a ValueError or a TypeError. The message names the key.
    """
    try:
        return function(*args, **kwargs)
    except (ValueError, TypeError) as error:
        raise ValueError(_with_key(key, str(error))) from error


def _with_key(key: str, message: str) -> str:
    """Complete a message: `lr=0: must be …` becomes `optimizer.lr=0: must be …`. Keep one that starts with a group."""
    if re.match(rf"({'|'.join(_GROUPS)})[.=:]", message):
        return message
    option, equals, _ = message.partition("=")
    return f"{key}.{message}" if equals and option.isidentifier() else f"{key}: {message}"
