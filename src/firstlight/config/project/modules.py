"""Make the modules of the project importable. No other module changes where Python looks for modules."""

import importlib
import os
import sys
from pathlib import Path
from types import ModuleType

from firstlight.config.project.folder import project_dir

_used: list[Path] = []  # the project whose folder is in `sys.path` because of `use_project`; at most one


def use_project() -> None:
    """Let Python find the modules of the project, if the working directory is one.

    Its folder is the last of `sys.path`, so a file such as `random.py` cannot replace a module that Python or a library
    needs. The processes of several devices get the same path, see `training.launch`. If the working directory has
    changed, the modules of the previous project are forgotten.
    """
    root = project_dir()
    if _used == [root]:
        return
    while _used:
        _forget(_used.pop())
    if root is not None and str(root) not in map(os.path.abspath, sys.path):  # notebooks and pytest have it there
        sys.path.append(str(root))
        _used.append(root)
    importlib.invalidate_caches()


def _forget(root: Path) -> None:
    if str(root) in sys.path:
        sys.path.remove(str(root))
    own = {name for name, module in sys.modules.items() if "." not in name and _is_of(root, name, module)}
    for name in [name for name in sys.modules if name.partition(".")[0] in own]:
        del sys.modules[name]


def _is_of(root: Path, name: str, module: ModuleType) -> bool:
    """Return whether a module or package lies in a folder, which may be deleted by now."""
    places = [getattr(module, "__file__", None), *getattr(module, "__path__", [])]
    own = (root / f"{name}.py", root / name / "__init__.py", root / name)
    return any(Path(place) in own for place in places if place)
