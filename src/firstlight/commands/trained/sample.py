"""The command `sample`."""

from firstlight.commands.trained.job import job_of_run, run_trained


def main() -> None:
    """Entry point of scripts/sample.py: generate samples with a trained network."""
    run_trained("sample", job_of_run("firstlight.runs.sample.sample"), texts=("prompt",))
