"""firstlight: from a few words on the command line to a trained, usable network.

The names below are the public interface. Each is imported at its first use: `import firstlight` imports no torch.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from firstlight.config import RunConfig as RunConfig
    from firstlight.spec import DataSpec as DataSpec
    from firstlight.training.front_door import Ranking as Ranking
    from firstlight.training.front_door import compose as compose
    from firstlight.training.front_door import load_pretrained as load_pretrained
    from firstlight.training.front_door import preview as preview
    from firstlight.training.front_door import resume as resume
    from firstlight.training.front_door import sweep as sweep
    from firstlight.training.front_door import train as train
    from firstlight.training.front_door.run import Run as Run
    from firstlight.training.front_door.run import load_run as load_run

__version__ = "0.1.0"

_ORIGINS = {
    "DataSpec": "firstlight.spec",
    "Ranking": "firstlight.training.front_door",
    "Run": "firstlight.training.front_door",
    "RunConfig": "firstlight.config",
    "compose": "firstlight.training.front_door",
    "load_pretrained": "firstlight.training.front_door",
    "load_run": "firstlight.training.front_door",
    "preview": "firstlight.training.front_door",
    "resume": "firstlight.training.front_door",
    "sweep": "firstlight.training.front_door",
    "train": "firstlight.training.front_door",
}


def __getattr__(name: str) -> Any:
    if name not in _ORIGINS:
        raise AttributeError(f"module 'firstlight' has no attribute '{name}'")
    return getattr(importlib.import_module(_ORIGINS[name]), name)


def __dir__() -> list[str]:
    return sorted([*_ORIGINS, "__version__"])
