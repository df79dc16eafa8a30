"""The command `serve`."""

from typing import Any

from firstlight.commands.trained.job import check_run, run_trained
from firstlight.config.checking.config import check_arguments
from firstlight.runs.serve.limits import Limits
from firstlight.runs.serve.models.sources import check_source

_FUNCTION = "firstlight.runs.serve.server.serve"


def main() -> None:
    """Entry point of scripts/serve.py: serve a trained network over HTTP."""
    sweep = "start a server for each, with its own port."
    run_trained("serve", _job, single=dict.fromkeys(("run", "file", "port"), sweep))


def _job(config: dict[str, Any]) -> dict[str, Any]:
    check_arguments(_FUNCTION, config)
    check_arguments("firstlight.runs.serve.limits.Limits", config["limits"], "limits")
    config["limits"] = Limits(**config["limits"])
    check_source(config["run"], config["file"])
    if config["run"] is not None:
        check_run(config)
    from firstlight.runs.serve.server import serve  # imports torch

    serve(**config)
    return {}
