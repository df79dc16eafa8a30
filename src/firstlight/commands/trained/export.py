"""The command `export`."""

from firstlight.commands.jobs import run_command
from firstlight.commands.trained.job import job_of_run


def main() -> None:
    """Entry point of scripts/export.py: write a trained network to a file that runs without firstlight."""
    run_command("export", job_of_run("firstlight.runs.export.exporter.export"))
