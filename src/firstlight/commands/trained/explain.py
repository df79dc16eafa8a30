"""The command `explain`."""

from typing import Any

from firstlight.commands.trained.job import job_of_run, run_trained


def main() -> None:
    """Entry point of scripts/explain.py: explain what a trained network predicts."""
    run_trained("explain", _job, texts=("input", "class"))


def _job(config: dict[str, Any]) -> dict[str, Any]:
    config["class_name"] = config.pop("class")  # a name that Python keeps for itself
    return job_of_run("firstlight.runs.explain.explainer.explain")(config)
