"""The hyperparameters that a logger gets: the config, the size of the network, and the state of the code."""

from typing import Any

from firstlight.config import RunConfig

_LEFT_OUT = ("dir", "run_dir", "output_dir", "logger")


def hyperparameters(config: RunConfig, parameters: int, commit: str | None) -> dict[str, Any]:
    """Return names and values: the config with dotted keys, `parameters` and, in a git repository, `git_commit`."""
    found = flat(config.to_plain()) | {"parameters": parameters}
    return found | ({"git_commit": commit} if commit else {})


def flat(node: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return a config with dotted keys, and without paths and empty values. A class is the value of its node's key."""
    found: dict[str, Any] = {}
    for key, value in node.items():
        if key == "_target_":
            found[prefix.rstrip(".")] = value
        elif isinstance(value, dict) and key not in _LEFT_OUT:
            found |= flat(value, f"{prefix}{key}.")
        elif value not in (None, [], {}) and key not in _LEFT_OUT:
            found[prefix + key] = value if isinstance(value, bool | int | float | str) else str(value)
    return found
