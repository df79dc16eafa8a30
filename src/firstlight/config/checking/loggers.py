"""Check the loggers of a config: each has a class, and the package that it needs."""

import importlib.util
from typing import Any

_PACKAGES = {
    "firstlight.training.loggers.WandB": "wandb",
    "firstlight.training.loggers.MLflow": "mlflow",
}


def check_loggers(loggers: Any) -> None:
    """Check the node `logger`: a mapping from names, which may be any words, to nodes with a `_target_`.

    Raises:
        ValueError: a node has no class, or needs a package that is not installed.
    """
    if not isinstance(loggers, dict):
        raise ValueError("logger: must be a mapping from names to nodes with a _target_.")
    for name, node in loggers.items():
        if node is not None and (not isinstance(node, dict) or "_target_" not in node):
            raise ValueError(f"logger.{name}: must have a _target_, the class of a logger.")
        package = _PACKAGES.get(str((node or {}).get("_target_")))
        if package is not None and importlib.util.find_spec(package) is None:
            raise ValueError(
                f'logger={name}: must be used with the package {package}. To fix: pip install "firstlight[{package}]"'
            )
