"""The command `compare`."""

import sys
from typing import Any

from firstlight.commands.jobs import run_command
from firstlight.config.checking.config import check_arguments
from firstlight.config.overrides import quoted
from firstlight.files import user_path

_WITH_VALUE = ("--cfg", "-c", "--package", "-p")  # options of Hydra that the next word belongs to


def main() -> None:
    """Entry point of scripts/compare.py: compare runs in a table and on a page."""
    sys.argv[1:] = with_paths(sys.argv[1:])
    run_command("compare", _job)


def with_paths(argv: list[str]) -> list[str]:
    """Return the words of the command line, in which `runs=[...]` takes the place of all words that are paths."""
    paths = [word for before, word in zip(["", *argv], argv, strict=False) if _is_path(word, before)]
    items = ",".join(quoted(f"runs={path}").partition("=")[2] for path in paths)
    others = [word for word in argv if word not in paths]
    return [f"runs=[{items}]", *others] if paths else argv


def _is_path(word: str, before: str) -> bool:
    """Return whether a word is a path: no option, no value of one, and `key=value` only if such a folder exists."""
    if not word or word.startswith("-") or before in _WITH_VALUE:
        return False
    return "=" not in word or user_path(word).exists()


def _job(config: dict[str, Any]) -> dict[str, Any]:
    function = "firstlight.runs.report.compare.compare"
    check_arguments(function, config)
    from firstlight.runs.report.compare import compare

    compare(**config)
    return {}
