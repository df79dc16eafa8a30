"""The entry points: Hydra composes what the command line says, and each job is told apart from its mistakes.

Nothing here imports torch, and help comes without Hydra too: help and complaints come within a second.
"""

import os
import sys
import time
from collections.abc import Callable
from typing import Any

from omegaconf import DictConfig

from firstlight.checks import suggestion
from firstlight.commands.check_predict import check_predict, check_task
from firstlight.config.checking.config import check, check_arguments
from firstlight.config.compose import CONFIG_DIR, to_plain
from firstlight.config.help import help_text
from firstlight.config.overrides import with_quotes
from firstlight.runs.run_folder import RunFolder
from firstlight.runs.sweep import Sweep

_STARTED = time.perf_counter()
Job = Callable[[dict[str, Any]], dict[str, Any]]


def train() -> None:
    """scripts/train.py."""
    _main("train", _train)


def evaluate() -> None:
    """scripts/evaluate.py."""

    def job(config: dict[str, Any]) -> dict[str, Any]:
        _check_run("evaluate", config)
        from firstlight.runs.evaluate import evaluate

        return evaluate(**config)

    _main("evaluate", job)


def predict() -> None:
    """scripts/predict.py."""

    def job(config: dict[str, Any]) -> dict[str, Any]:
        options, task = config.pop("predict"), config.pop("task", None)
        check_task(task)  # first, because some tasks bring settings of their own
        check_arguments("firstlight.commands.predict.predict", options, "predict")
        check_arguments("firstlight.commands.predict.predict", config)
        check_predict(config["run"], config["model"], options["group"])
        from firstlight.commands.predict import predict

        predict(**config, **options)
        return {}

    _main("predict", job)


def sample() -> None:
    """scripts/sample.py."""

    def job(config: dict[str, Any]) -> dict[str, Any]:
        _check_run("sample", config)
        from firstlight.commands.sample import sample

        sample(**config)
        return {}

    _main("sample", job)


def preview() -> None:
    """scripts/preview.py."""

    def job(config: dict[str, Any]) -> dict[str, Any]:
        options = config.pop("preview")
        check_arguments("firstlight.commands.preview.preview", options, "preview")
        check(config)
        from firstlight.commands.preview import preview

        preview(config, **options)
        return {}

    _main("preview", job)


def main() -> None:
    """The installed command: `firstlight train data=mnist`, and likewise the others."""
    commands = {"train": train, "evaluate": evaluate, "predict": predict, "preview": preview, "sample": sample}
    command = sys.argv.pop(1) if len(sys.argv) > 1 else ""
    if command in commands:
        return commands[command]()
    usage = f"firstlight {' | '.join(commands)}, and --help after each of them tells more"
    if command in ("", "-h", "--help"):
        return print(usage)
    sys.exit(f"{command}: unknown command{suggestion(command, list(commands))}")


def _check_run(name: str, config: dict[str, Any]) -> None:
    """Tell of a mistake before torch is imported."""
    check_arguments(f"firstlight.{name}.{name}", config)
    RunFolder.open(config["run"])


def _train(config: dict[str, Any]) -> dict[str, Any]:
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    from firstlight.config.errors import conflict_with_resume
    from firstlight.training.run import resume, train

    job = HydraConfig.get()
    if config["resume"]:
        refusal = conflict_with_resume(job.overrides.task)
        if refusal:
            raise ValueError(refusal)
        has_moved = any(word.startswith("data.dir=") for word in job.overrides.task)
        return resume(config["resume"], data_dir=config["data"]["dir"] if has_moved else None, started=_STARTED)
    if job.mode is RunMode.MULTIRUN:
        return train(config, run_dir=job.runtime.output_dir)
    return train(config, started=_STARTED)


class _Jobs:
    """What came of the one job of a command, or of each job of its sweep."""

    def __init__(self, job: Job, config_name: str) -> None:
        self.job = job
        self.config_name = config_name
        self.sweep: Sweep | None = None
        self.failures: list[BaseException] = []
        self.diverged = False

    def run(self, composed: DictConfig) -> None:
        """Hydra calls this; it gets no exception of a job, for it would add its own words, or end a sweep."""
        from hydra.core.hydra_config import HydraConfig
        from hydra.types import RunMode

        from firstlight.config.errors import explain

        settings = HydraConfig.get()
        if settings.mode is RunMode.MULTIRUN:
            self.sweep = self.sweep or Sweep(settings.sweep.dir)
            self.sweep.begin(settings.job.num, list(settings.overrides.task))
        try:
            result = self.job(to_plain(composed))
            self.diverged |= result.get("status") == "diverged"  # it has said so itself
            if self.sweep:
                self.sweep.finished(result)
        except Exception as error:  # whatever it is, the other jobs of the sweep go on
            self.failures.append(error)
            if self.sweep:
                self.sweep.failed(explain(error, self.config_name))
        except KeyboardInterrupt:
            if self.sweep:
                self.sweep.failed("interrupted")
            raise


def _main(config_name: str, job: Job) -> None:
    """Run `job` once, or for each job of a sweep.

    Exits with 1 where one failed or diverged, with 130 where it was interrupted.
    """
    if {"--help", "-h"} & set(sys.argv[1:]):
        return print(help_text(config_name))

    show_traceback = os.environ.get("HYDRA_FULL_ERROR") == "1"
    jobs = _Jobs(job, config_name)
    try:
        import hydra

        is_sweep = {"-m", "--multirun"} & set(sys.argv[1:])  # there a comma stands between values
        sys.argv[1:] = with_quotes(sys.argv[1:], texts=[] if is_sweep else ["prompt"])
        os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises its own exceptions here, instead of printing them
        hydra.main(version_base="1.3", config_path=str(CONFIG_DIR), config_name=config_name)(jobs.run)()
    except (Exception, KeyboardInterrupt) as error:  # Hydra's own, or an interrupt: told below, after the ranking
        jobs.failures.append(error)
    finally:
        if not show_traceback:
            os.environ.pop("HYDRA_FULL_ERROR", None)
    if jobs.sweep:
        jobs.sweep.tell()
    if not jobs.failures:
        sys.exit(jobs.diverged)
    if show_traceback:
        raise jobs.failures[0]
    if isinstance(jobs.failures[-1], KeyboardInterrupt):
        sys.exit(130)
    if not jobs.sweep:
        from firstlight.config.errors import explain

        sys.stdout.flush()
        print(explain(jobs.failures[0], config_name), file=sys.stderr)
    sys.exit(1)
