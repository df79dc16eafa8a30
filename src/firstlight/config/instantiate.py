"""Nodes of the config become what they name; the only caller of Hydra's instantiate."""

from collections.abc import Callable
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate


def partial(config: dict[str, Any], key: str) -> Any:
    """The class or function of a node, with the node's values as keyword arguments.

    Partial, because instantiate would turn a DataSpec that it is handed into a DictConfig.

    Raises:
        ValueError: a part of the node cannot be built; names its key.
    """
    try:
        return instantiate(config[key], _partial_=True, _convert_="all")
    except InstantiationException as error:
        place = f"{key}.{str(error).rpartition('full_key: ')[2]}" if "full_key: " in str(error) else key
        reason = error.__cause__ if isinstance(error.__cause__, ValueError | TypeError) else str(error).splitlines()[0]
        raise ValueError(f"{place}: {reason}") from error


def call(key: str, target: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call what a node names; what it refuses is told with the node's key.

    Raises:
        ValueError: it refuses.
    """
    try:
        return target(*args, **kwargs)
    except (ValueError, TypeError) as error:
        text = str(error)
        raise ValueError(text if text.startswith(f"{key}.") else f"{key}: {text}") from error
