"""The command `export`."""

from typing import Any

from firstlight.commands.jobs import run_command
from firstlight.config.checking.config import check_arguments
from firstlight.runs import RunFolder
from firstlight.training.lean_imports import pause_garbage_collection


def main() -> None:
    """Entry point of scripts/export.py: write a trained network to a file that runs without firstlight."""
    run_command("export", _job)


def _job(config: dict[str, Any]) -> dict[str, Any]:
    check_arguments("firstlight.runs.export.exporter.export", config)
    RunFolder.open(config["run"]).config(config["trust"])  # checked before torch is imported
    with pause_garbage_collection():
        from firstlight.runs.export import export  # imports torch

    export(**config)
    return {}
