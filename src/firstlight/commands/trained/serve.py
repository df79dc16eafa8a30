"""The command `serve`."""

from typing import Any

from firstlight.commands.jobs import run_command
from firstlight.config.checking.config import check_arguments
from firstlight.runs import RunFolder
from firstlight.runs.serve.limits import Limits

_FUNCTION = "firstlight.runs.serve.server.serve"


def main() -> None:
    """Entry point of scripts/serve.py: serve a trained network over HTTP."""
    sweep = "start a server for each, with its own port."
    run_command("serve", _job, single=dict.fromkeys(("run", "file", "port"), sweep))


def _job(config: dict[str, Any]) -> dict[str, Any]:
    check_arguments(_FUNCTION, config)
    check_arguments("firstlight.runs.serve.limits.Limits", config["limits"], "limits")
    config["limits"] = Limits(**config["limits"])
    if config["run"] is not None:
        RunFolder.open(config["run"]).config(config["trust"])  # checked before torch is imported
    from firstlight.runs.serve.server import serve  # imports torch

    serve(**config)
    return {}
