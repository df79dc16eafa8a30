"""firstlight: from a few words on the command line to a trained, usable network.

The names below are the public interface. Each is imported at its first use: `import firstlight` imports no torch.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from firstlight.config import RunConfig as RunConfig
    from firstlight.config import compose as compose
    from firstlight.runs.evaluate import evaluate as evaluate
    from firstlight.runs.load import load_run as load_run
    from firstlight.runs.predict import predict as predict
    from firstlight.runs.preview import preview as preview
    from firstlight.runs.sample import sample as sample
    from firstlight.spec import DataSpec as DataSpec
    from firstlight.training import resume as resume
    from firstlight.training import train as train

__version__ = "0.1.0"

_ORIGINS = {
    "RunConfig": "firstlight.config",
    "compose": "firstlight.config",
    "evaluate": "firstlight.runs.evaluate",
    "load_run": "firstlight.runs.load",
    "predict": "firstlight.runs.predict",
    "preview": "firstlight.runs.preview",
    "sample": "firstlight.runs.sample",
    "DataSpec": "firstlight.spec",
    "resume": "firstlight.training",
    "train": "firstlight.training",
}


def __getattr__(name: str) -> Any:
    if name not in _ORIGINS:
        raise AttributeError(f"module 'firstlight' has no attribute '{name}'")
    return getattr(importlib.import_module(_ORIGINS[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_ORIGINS])
