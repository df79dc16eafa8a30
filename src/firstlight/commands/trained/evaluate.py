"""The command `evaluate`."""

from firstlight.commands.jobs import run_command
from firstlight.commands.trained.job import job_of_run


def main() -> None:
    """Entry point of scripts/evaluate.py: compute the metrics of a trained network."""
    run_command("evaluate", job_of_run("firstlight.training.trainees.evaluate.evaluate"))
