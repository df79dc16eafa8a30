"""The command `report`."""

from typing import Any

from firstlight.commands.trained.job import run_trained
from firstlight.config.checking.config import check_arguments
from firstlight.runs.command_line import relative_path
from firstlight.runs.report import write_report


def main() -> None:
    """Entry point of scripts/report.py: write the report of a run again."""
    run_trained("report", _job)


def _job(config: dict[str, Any]) -> dict[str, Any]:
    check_arguments("firstlight.runs.report.report.write_report", config)
    print(f"page {relative_path(write_report(config['run']))}")
    return {}
