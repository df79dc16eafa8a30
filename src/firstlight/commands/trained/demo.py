"""The command `demo`."""

from firstlight.commands.jobs import run_command
from firstlight.commands.trained.job import job_of_run


def main() -> None:
    """Entry point of scripts/demo.py: serve a page on which a trained network answers."""
    run_command("demo", job_of_run("firstlight.runs.demo.served.demo"))
