"""The folders of YAML files: that of firstlight, and that of the project."""

import functools
from pathlib import Path

_CHECKOUT = Path(__file__).resolve().parents[4] / "configs"
_INSTALLED = Path(__file__).resolve().parents[2] / "configs"  # the wheel holds them there
CONFIG_DIR = _INSTALLED if _INSTALLED.is_dir() else _CHECKOUT
"""The folder of the YAML files: that of the checkout, or of the installed package."""


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
