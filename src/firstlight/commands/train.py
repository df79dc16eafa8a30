"""The command `train`."""

import sys
import time
from typing import Any

from firstlight.commands.jobs import run_command
from firstlight.config.checking.config import check_arguments
from firstlight.config.checking.lightning_classes import check_words
from firstlight.training.front_door import resume, train
from firstlight.training.front_door.run import Run

_STARTED = time.perf_counter()
_RUN_DIR = "hydra.sweep.dir=FOLDER names the folder in which the folders of all runs lie."


def main() -> None:
    """Entry point of scripts/train.py: train a network, or several in a sweep."""
    if any(word.startswith("resume=") for word in sys.argv):  # the default data set, which Hydra composes, has no file
        sys.argv = [f"++{word}" if word.startswith("data.file=") else word for word in sys.argv]
    run_command("train", _job, single={"run_dir": _RUN_DIR})


def _job(config: dict[str, Any]) -> dict[str, Any]:
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    job = HydraConfig.get()
    if config["resume"] is not None:  # resume= with an empty value is a mistake, not a new run
        return _resume(config, list(job.overrides.task))
    check_words(config, job.overrides.task)
    if job.mode is RunMode.MULTIRUN:
        if config["run_dir"] is not None:  # from a YAML file
            raise ValueError(f"run_dir={config['run_dir']}: must be left out of a sweep. To fix: {_RUN_DIR}")
        return _result(train(config, run_dir=job.runtime.output_dir))
    unused = next((word for word in job.overrides.task if word.lstrip("+").startswith(("sweep.", "sweep="))), None)
    if unused:
        raise ValueError(f"{unused}: must be left out of a single run. To fix: -m begins a sweep.")
    return _result(train(config, started=_STARTED))


def _resume(config: dict[str, Any], overrides: list[str]) -> dict[str, Any]:
    from firstlight.config.errors import conflict_with_resume

    conflict = conflict_with_resume(overrides)
    if conflict:
        raise ValueError(conflict)
    trust = config["trust"]
    check_arguments("firstlight.training.run.resume", {"run": config["resume"], "trust": trust})
    given = {word.split("=")[0].lstrip("+") for word in overrides}
    limits = {name: config["trainer"][f"max_{name}"] for name in ("epochs", "steps") if f"trainer.max_{name}" in given}
    moved = {f"data_{key}": config["data"][key] for key in ("dir", "file") if f"data.{key}" in given}
    return _result(resume(config["resume"], started=_STARTED, trust=trust, **moved, **limits))


def _result(run: Run) -> dict[str, Any]:
    return run.metrics | {"run_dir": str(run.path)}
