"""The job of the commands that use a finished run."""

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any

from firstlight.checks import choose
from firstlight.commands.jobs import Job, run_command
from firstlight.commands.trained.words import with_run
from firstlight.config.checking.config import check_arguments
from firstlight.runs import RunFolder
from firstlight.training.lean_imports import pause_garbage_collection

Check = Callable[[dict[str, Any]], None]


def run_trained(name: str, job: Job, texts: tuple[str, ...] = (), single: Mapping[str, str] | None = None) -> None:
    """Run a command whose run folder needs no `run=`; the arguments are those of `run_command`."""
    try:
        sys.argv[1:] = with_run(sys.argv[1:])
    except ValueError as error:
        sys.exit(str(error))
    run_command(name, job, texts, single)


def job_of_run(function: str, check: Check | None = None) -> Job:
    """Return the job that calls a function of a run with the values of the config.

    Args:
        function: the dotted path of the function. It is imported after its arguments and the run's config are checked.
        check: checks further values of the config, without torch.
    """
    module, _, name = function.rpartition(".")

    def job(config: dict[str, Any]) -> dict[str, Any]:
        check_arguments(function, config)
        check_run(config)
        if check is not None:
            check(config)
        with pause_garbage_collection():
            call = getattr(importlib.import_module(module), name)  # imports torch
        found = call(**config)
        return found if isinstance(found, dict) else {}  # the metrics, if there are any

    return job


def check_run(config: dict[str, Any]) -> None:
    """Check the run of a command and its checkpoint, without torch.

    Raises:
        ValueError: the run or the checkpoint does not exist, or the run's config is wrong.
    """
    folder = RunFolder.open(config["run"])
    folder.config(config["trust"])
    if "checkpoint" in config:
        folder.existing_checkpoint(config["checkpoint"])


def choosing(**options: tuple[str, ...]) -> Check:
    """Return a check of the keys that have few values; None is always one."""

    def check(config: dict[str, Any]) -> None:
        for key, known in options.items():
            if config[key] is not None:
                choose(key, config[key], known, key)

    return check
