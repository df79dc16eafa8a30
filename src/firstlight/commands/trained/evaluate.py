"""The command `evaluate`."""

from typing import Any

from firstlight.commands.trained.job import choosing, job_of_run, run_trained
from firstlight.files import user_path


def main() -> None:
    """Entry point of scripts/evaluate.py: compute the metrics of a trained network."""
    run_trained("evaluate", job_of_run("firstlight.training.trainees.evaluate.evaluate", _check))


def _check(config: dict[str, Any]) -> None:
    choosing(split=("test", "val"), threshold=("f1", "accuracy", "youden"))(config)
    if config["input"] is not None and not user_path(config["input"], "input").exists():
        raise ValueError(f"input={config['input']}: must be an existing folder of images, table or text.")
