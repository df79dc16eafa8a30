"""Commands and paths as the user can paste them into a shell."""

import os
import shlex
from pathlib import Path

from firstlight.config import CONFIG_DIR


def command(name: str) -> str:
    """Return the beginning of a shell command: the script of a checkout, or the installed program."""
    script = CONFIG_DIR.parent / "scripts" / f"{name}.py"
    if not script.exists():
        return f"{runner()}firstlight {name}"
    return f"{runner() or 'python '}{relative_path(script)}"


def relative_path(path: Path) -> str:
    """Return a path relative to the working directory, if it lies below it, quoted for a shell."""
    return shlex.quote(str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path))


def runner() -> str:
    """Return "uv run " if uv runs this process."""
    return "uv run " if "UV" in os.environ else ""
