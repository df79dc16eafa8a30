"""The job of the commands that use a finished run."""

import importlib
from typing import Any

from firstlight.commands.jobs import Job
from firstlight.config.checking.config import check_arguments
from firstlight.runs import RunFolder
from firstlight.training.lean_imports import pause_garbage_collection


def job_of_run(function: str) -> Job:
    """Return the job that calls a function of a run with the values of the config.

    Args:
        function: the dotted path of the function. It is imported after its arguments and the run's config are checked.
    """
    module, _, name = function.rpartition(".")

    def job(config: dict[str, Any]) -> dict[str, Any]:
        check_arguments(function, config)
        RunFolder.open(config["run"]).config(config["trust"])  # checked before torch is imported
        with pause_garbage_collection():
            call = getattr(importlib.import_module(module), name)  # imports torch
        found = call(**config)
        return found if isinstance(found, dict) else {}  # the metrics, if there are any

    return job
