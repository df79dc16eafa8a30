"""The entry points: Hydra composes what the command line says, and each job is told apart from its mistakes.

Nothing here imports torch, and help comes without Hydra too: help and complaints come within a second.
"""

import os
import sys
import time
from collections.abc import Callable
from typing import Any

from omegaconf import DictConfig

from firstlight.config import CONFIG_DIR, to_plain
from firstlight.help import help_text
from firstlight.run_folder import RunFolder
from firstlight.sweep import Sweep

_STARTED = time.perf_counter()
Job = Callable[[dict[str, Any]], dict[str, Any]]


def train() -> None:
    """scripts/train.py."""
    _main("train", _train)


def evaluate() -> None:
    """scripts/evaluate.py."""

    def job(config: dict[str, Any]) -> dict[str, Any]:
        RunFolder.open(config["run"])  # tells of a mistake before torch is imported
        from firstlight.evaluate import evaluate

        return evaluate(**config)

    _main("evaluate", job)


def predict() -> None:
    """scripts/predict.py."""

    def job(config: dict[str, Any]) -> dict[str, Any]:
        RunFolder.open(config["run"])
        from firstlight.predict import predict

        predict(**config)
        return {}

    _main("predict", job)


def main() -> None:
    """The installed command: `firstlight train data=mnist`, likewise evaluate and predict."""
    commands = {"train": train, "evaluate": evaluate, "predict": predict}
    command = sys.argv.pop(1) if len(sys.argv) > 1 else ""
    if command not in commands:
        sys.exit(f"firstlight: say what to do: {', '.join(commands)}; --help after it tells more")
    commands[command]()


def _train(config: dict[str, Any]) -> dict[str, Any]:
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    from firstlight.run import train

    job = HydraConfig.get()
    if job.mode is RunMode.MULTIRUN:
        return train(config, run_dir=job.runtime.output_dir)
    return train(config, started=_STARTED)


def _main(config_name: str, job: Job) -> None:
    """Run `job` once, or for each job of a sweep; exit with 1 where one failed."""
    if {"--help", "-h"} & set(sys.argv[1:]):
        return print(help_text(config_name))

    import hydra
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    from firstlight.errors import explain

    show_traceback = os.environ.get("HYDRA_FULL_ERROR") == "1"
    failures: list[Exception] = []
    sweep: list[Sweep] = []

    def task(composed: DictConfig) -> None:
        # Hydra gets no exception: it would add its own words, and stop a sweep's summary.
        settings = HydraConfig.get()
        multirun = settings.mode is RunMode.MULTIRUN
        if multirun and not sweep:
            sweep.append(Sweep(settings.sweep.dir))
        if multirun:
            sweep[0].begin(settings.job.num, list(settings.overrides.task))
        try:
            result = job(to_plain(composed))
        except Exception as error:
            failures.append(error)
            if multirun:
                sweep[0].failed(explain(error, config_name))
        else:
            if multirun:
                sweep[0].finished(result)

    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises its own exceptions here, instead of printing them
    try:
        hydra.main(version_base="1.3", config_path=str(CONFIG_DIR), config_name=config_name)(task)()
    except Exception as error:
        failures.append(error)
    finally:
        os.environ["HYDRA_FULL_ERROR"] = str(int(show_traceback))
    if sweep:
        sweep[0].tell()
    if failures and show_traceback:
        raise failures[0]
    if failures and not sweep:
        sys.stdout.flush()
        print(explain(failures[0], config_name), file=sys.stderr)
    sys.exit(1 if failures else 0)
