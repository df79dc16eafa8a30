"""The folder of the project and that of firstlight: their YAML files, and the modules of the project."""

import functools
import importlib
import os
import sys
from pathlib import Path
from types import ModuleType

_CHECKOUT = Path(__file__).resolve().parents[4] / "configs"
_INSTALLED = Path(__file__).resolve().parents[2] / "configs"  # the wheel holds them there
CONFIG_DIR = _INSTALLED if _INSTALLED.is_dir() else _CHECKOUT
"""The folder of the YAML files: that of the checkout, or of the installed package."""

_used: list[Path] = []  # the project whose folder is in `sys.path` because of `use_project`; at most one


def project_dir() -> Path | None:
    """Return the working directory if it is a project: it has a folder `configs` that is not that of firstlight."""
    try:
        folder = Path.cwd()
        is_project = (folder / "configs").is_dir() and not (folder / "configs").samefile(CONFIG_DIR)
    except OSError:  # the working directory has been deleted, or may not be read
        return None
    return folder if is_project else None


def is_own(path: str | Path) -> bool:
    """Return whether a file lies in the project, and is not an installed package."""
    root = project_dir()
    return root is not None and Path(path).is_relative_to(root) and "site-packages" not in Path(path).parts


@functools.cache
def groups() -> tuple[str, ...]:
    """Return the names of the groups, such as `data`. A project has the same groups; its other folders do not count."""
    return tuple(sorted(path.name for path in CONFIG_DIR.iterdir() if path.is_dir() and path.name != "hydra"))


def option_files(group: str) -> dict[str, Path]:
    """Return the YAML file of each option of a group. A file of the project replaces that of firstlight."""
    return _options(CONFIG_DIR, group) | (_options(root / "configs", group) if (root := project_dir()) else {})


def replaced_files() -> dict[str, list[Path]]:
    """Return the files of the project, by group, that replace one of firstlight."""
    root = project_dir()
    if root is None:
        return {}
    both = {group: _options(root / "configs", group) for group in groups()}
    return {
        group: [path for name, path in own.items() if name in _options(CONFIG_DIR, group)]
        for group, own in both.items()
    }


def _options(folder: Path, group: str) -> dict[str, Path]:
    """Return the options in a folder: files whose names begin with an underscore are parts of others."""
    return {path.stem: path for path in sorted((folder / group).glob("[!_]*.yaml"))}


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
