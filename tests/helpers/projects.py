"""Projects of users: the working directory with modules and YAML files."""

from pathlib import Path

import pytest

from firstlight.commands.new import new_project
from firstlight.config.project import use_project


def enter_project(folder: Path, patch: pytest.MonkeyPatch) -> Path:
    """Write the project of `firstlight new`, and make it the working directory until the test ends."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    patch.chdir(folder.parent)
    use_project()  # forgets the modules of the project before
    project = new_project(str(folder))
    patch.chdir(project)
    return project


def add_file(project: Path, name: str, text: str) -> Path:
    """Write a file of a project, which may replace one of its files."""
    path = project / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path
