"""The command `evaluate`."""

from typing import Any

from firstlight.commands.jobs import run_command
from firstlight.config.checking.config import check_arguments
from firstlight.runs import RunFolder
from firstlight.training.lean_imports import pause_garbage_collection


def main() -> None:
    """Entry point of scripts/evaluate.py: compute the metrics of a trained network."""
    run_command("evaluate", _job)


def _job(config: dict[str, Any]) -> dict[str, Any]:
    check_arguments("firstlight.runs.evaluate.evaluate", config)
    RunFolder.open(config["run"]).config(config["trust"])  # checked before torch is imported
    with pause_garbage_collection():
        from firstlight.training.trainees.evaluate import evaluate  # imports torch

    return evaluate(**config)
