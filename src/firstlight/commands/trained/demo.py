"""The command `demo`."""

from firstlight.commands.trained.job import job_of_run, run_trained


def main() -> None:
    """Entry point of scripts/demo.py: serve a page on which a trained network answers."""
    run_trained("demo", job_of_run("firstlight.runs.demo.served.demo"))
