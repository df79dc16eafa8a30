"""The command `loss_surface`: the loss of a line, or the loss around a trained network."""

from typing import Any

from firstlight.commands.jobs import run_command
from firstlight.config.checking.config import check_arguments
from firstlight.runs import RunFolder
from lessons.line_surface import line_surface

_OF_LINE = ("points", "start", "rates", "steps")


def main() -> None:
    """Entry point of scripts/loss_surface.py."""
    run_command("loss_surface", _job)


def _job(config: dict[str, Any]) -> dict[str, Any]:
    line = {key: config.pop(key) for key in _OF_LINE} | {"output": config["output"]}
    check_arguments("lessons.line_surface.line_surface", line)
    if config["run"] is None:
        line_surface(**line)
        return {}
    check_arguments("lessons.network_surface.network_surface", config)
    RunFolder.open(config["run"]).config(config["trust"])  # checked before torch is imported
    from lessons.network_surface import network_surface  # imports torch

    network_surface(**config)
    return {}
