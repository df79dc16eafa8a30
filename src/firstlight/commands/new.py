"""The command `new`: write a small project that runs at once."""

import importlib.util
import keyword
import re
import shutil
import sys
from pathlib import Path

from firstlight.files import output_file, user_path
from firstlight.runs.command_line import relative_path

_TEMPLATE = Path(__file__).parent / "template"
_NAME = "my_project"  # of the project in the template, in its files and their paths
_TAKEN = ("configs", "tests", "data", "outputs")  # folders beside that of the code
_HELP = """\
Write a small project: a data set, a network, a metric, an experiment and a test of your own, which run at once.

    firstlight new myproject
    cd myproject
    firstlight train

NAME, or a path that ends in it, is a folder that does not exist yet. The name is also that of the Python package."""


def main() -> None:
    """Entry point of scripts/new.py: write the project that the first argument names."""
    words = sys.argv[1:]
    if {"-h", "--help"} & set(words):
        return print(_HELP)
    try:
        if len(words) != 1:
            raise ValueError("new: must have one word, the name of the project, as in firstlight new myproject")
        print(_report(new_project(words[0])))
    except ValueError as error:
        sys.exit(str(error))


def new_project(folder: str) -> Path:
    """Write the files of a new project.

    Args:
        folder: the folder, which does not exist or is empty. Its name is the name of the project.

    Returns:
        The folder.

    Raises:
        ValueError: the name cannot be that of a Python package, or the folder is not empty or cannot be written.
    """
    path = user_path(folder, "new")
    _check_name(path.name)
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise ValueError(f"new {folder}: must be a new or an empty folder.")
    for source in sorted(_TEMPLATE.rglob("*")):
        if source.is_file() and "__pycache__" not in source.parts:
            _write(source, path)
    return path


def _check_name(name: str) -> None:
    if not re.fullmatch(r"[A-Za-z]\w*(?<!_)", name, flags=re.ASCII) or keyword.iskeyword(name):
        proposal = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_0123456789")
        example = f", such as {proposal}" if proposal and not keyword.iskeyword(proposal) else ""
        raise ValueError(f"new {name}: must be a name of letters, digits and underscores, as Python wants it{example}.")
    if name in _TAKEN:
        raise ValueError(f"new {name}: must be another name, because a project has a folder {name} inside.")
    if name in sys.stdlib_module_names or _is_installed(name):
        raise ValueError(f"new {name}: must be another name, because {name} is a module of Python or is installed.")


def _is_installed(name: str) -> bool:
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return True
    return spec is not None and spec.origin is not None  # a folder without code has no origin


def _write(source: Path, project: Path) -> None:
    """Write a file of the template under the name of the project."""
    relative = source.relative_to(_TEMPLATE).as_posix().replace(_NAME, project.name)
    target = project / (".gitignore" if relative == "gitignore" else relative)
    with output_file("new", target):
        target.write_text(source.read_text(encoding="utf-8").replace(_NAME, project.name), encoding="utf-8")


def _report(project: Path) -> str:
    files = sorted(path.relative_to(project).as_posix() for path in project.rglob("*") if path.is_file())
    place = "" if project == Path.cwd() else f"cd {relative_path(project)} && "
    program = "firstlight" if shutil.which("firstlight") else str(Path(sys.executable).with_name("firstlight"))
    return "\n".join([f"{project}:", *(f"    {file}" for file in files), f"next: {place}{program} train"])
