"""Commands and paths as the user can paste them into a shell."""

import os
import shlex
import shutil
import sys
from pathlib import Path

from firstlight.config import CONFIG_DIR

_VARIABLE = "FIRSTLIGHT_PROGRAM"  # what the user has called; `sys.argv[0]` of a process that it starts is another


def command(name: str) -> str:
    """Return the beginning of a shell command: the installed program, if the user called it, or a script."""
    program = Path(_program())
    if program.stem == "firstlight":
        return f"{'firstlight' if shutil.which('firstlight') else relative_path(program)} {name}"
    script = CONFIG_DIR.parent / "scripts" / f"{name}.py"
    if not script.exists():
        return f"{runner()}firstlight {name}"
    return f"{runner() or f'{_python()} '}{relative_path(script)}"


def passed_on() -> dict[str, str]:
    """Return the variables by which a process of a run or a sweep knows the program that the user has called."""
    return {_VARIABLE: _program()}


def _program() -> str:
    return os.environ.get(_VARIABLE) or sys.argv[0]


def _python() -> str:
    """Return the word that starts this Python: "python" if the shell finds it, or its path."""
    found = shutil.which("python")
    is_this = found is not None and Path(found).absolute() == Path(sys.executable).absolute()
    return "python" if is_this else relative_path(Path(sys.executable))


def relative_path(path: Path) -> str:
    """Return a path relative to the working directory, if it lies below it, quoted for a shell."""
    return shlex.quote(str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path))


def runner() -> str:
    """Return "uv run " if uv runs this process."""
    return "uv run " if "UV" in os.environ else ""
