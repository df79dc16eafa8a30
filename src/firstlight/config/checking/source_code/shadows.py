"""Find modules of the project that Python never imports, because another module has the same name."""

import importlib.util
from pathlib import Path

from firstlight.config.checking.source_code.signature import definitions, descend
from firstlight.config.project import project_dir


def shadowed_file(target: str) -> Path | None:
    """Return the file of the project that defines `target`, if Python finds another module of that name first.

    Python and installed packages come first in the search, see `config.project`.
    """
    root, (first, *rest) = project_dir(), target.split(".")
    if root is None:
        return None
    own = next((path for path in (root / first / "__init__.py", root / f"{first}.py") if path.is_file()), None)
    if own is None or not rest or _origin(first) in (None, own):
        return None
    path, names = descend(own, rest)
    return own if path is not None and len(names) == 1 and names[0] in definitions(path) else None


def _origin(module: str) -> Path | str | None:
    """Return the file of the module that Python would import; a word for one without a file; None if there is none."""
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return None
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin) if Path(spec.origin).is_absolute() else spec.origin
