"""The command `sample`."""

from typing import Any

from firstlight.commands.jobs import run_command
from firstlight.config.checking.config import check_arguments
from firstlight.runs import RunFolder
from firstlight.training.lean_imports import pause_garbage_collection


def main() -> None:
    """Entry point of scripts/sample.py: generate samples with a trained network."""
    run_command("sample", _job, texts=("prompt",))


def _job(config: dict[str, Any]) -> dict[str, Any]:
    check_arguments("firstlight.runs.sample.sample", config)
    RunFolder.open(config["run"]).config(config["trust"])  # checked before torch is imported
    with pause_garbage_collection():
        from firstlight.runs.sample import sample  # imports torch

    sample(**config)
    return {}
