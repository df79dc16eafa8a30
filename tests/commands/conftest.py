"""Runs scripts and lists the modules that they import."""

from collections.abc import Callable
from subprocess import CompletedProcess

import pytest

Profiled = Callable[..., tuple[CompletedProcess[str], set[str]]]


@pytest.fixture
def profiled(script: Callable[..., CompletedProcess[str]]) -> Profiled:
    """Return a function that runs a script and returns the finished process and the names of the imported modules."""

    def run(name: str, *arguments: str) -> tuple[CompletedProcess[str], set[str]]:
        process = script(name, *arguments, PYTHONPROFILEIMPORTTIME="1")  # as `python -X importtime` does
        lines = process.stderr.splitlines()
        modules = {line.rsplit("|", 1)[-1].strip() for line in lines if line.startswith("import time:")}
        process.stderr = "\n".join(line for line in lines if not line.startswith("import time:"))
        assert any(module.startswith("firstlight.commands.") and module.endswith(f".{name}") for module in modules)
        return process, modules

    return run
