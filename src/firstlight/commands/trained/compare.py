"""The command `compare`."""

import sys
from typing import Any

from firstlight.commands.jobs import run_command
from firstlight.commands.trained.words import paths_in
from firstlight.config.checking.config import check_arguments
from firstlight.config.overrides import quoted


def main() -> None:
    """Entry point of scripts/compare.py: compare runs in a table and on a page."""
    sys.argv[1:] = with_paths(sys.argv[1:])
    run_command("compare", _job)


def with_paths(argv: list[str]) -> list[str]:
    """Return the words of the command line, in which `runs=[...]` takes the place of all words that are paths."""
    paths = paths_in(argv)
    items = ",".join(quoted(f"runs={path}").partition("=")[2] for path in paths)
    others = [word for word in argv if word not in paths]
    return [f"runs=[{items}]", *others] if paths else argv


def _job(config: dict[str, Any]) -> dict[str, Any]:
    function = "firstlight.runs.report.compare.compare"
    check_arguments(function, config)
    from firstlight.runs.report.compare import compare

    compare(**config)
    return {}
