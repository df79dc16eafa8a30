"""The command `sample`."""

from firstlight.commands.jobs import run_command
from firstlight.commands.trained.job import job_of_run


def main() -> None:
    """Entry point of scripts/sample.py: generate samples with a trained network."""
    run_command("sample", job_of_run("firstlight.runs.sample.sample"), texts=("prompt",))
