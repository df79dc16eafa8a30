"""The command `preview`."""

from typing import Any

from firstlight.commands.jobs import run_command
from firstlight.config import RunConfig
from firstlight.config.checking.config import check_arguments
from firstlight.training.lean_imports import pause_garbage_collection


def main() -> None:
    """Entry point of scripts/preview.py: show augmented samples of a data set."""
    run_command("preview", _job)


def _job(config: dict[str, Any]) -> dict[str, Any]:
    options = config.pop("preview")
    check_arguments("firstlight.runs.preview.preview", options, "preview")
    run_config = RunConfig.parse(config)
    with pause_garbage_collection():
        from firstlight.runs.preview import preview  # imports torch

    preview(run_config, **options)
    return {}
