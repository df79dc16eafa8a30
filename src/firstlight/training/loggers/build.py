"""Build the loggers of a run, and end them."""

import inspect
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from lightning.pytorch.loggers import Logger

from firstlight.config import RunConfig
from firstlight.config.instantiate import bind, call
from firstlight.files import LOCK_FILES
from firstlight.log import logger
from firstlight.runs import RunFolder
from firstlight.training.loggers.lightning_logger import LightningLogger
from firstlight.training.loggers.run_logger import RunDetails, RunLogger


def build_loggers(config: RunConfig, folder: RunFolder) -> list[Logger]:
    """Return the loggers of the group `logger`, which may be classes of firstlight, of Lightning or of the user.

    Args:
        config: the config of the run.
        folder: the run folder. A logger with an argument `save_dir` that the config does not set writes there.

    Raises:
        ValueError: a logger cannot be built. The message names its key.
    """
    details = run_details(config, folder)
    loggers = [_build(f"logger.{name}", node, folder) for name, node in config.logger.items() if node is not None]
    for each in loggers:
        if isinstance(each, RunLogger):
            each.attach(details)
    return loggers


def run_details(config: RunConfig, folder: RunFolder) -> RunDetails:
    """Return what a logger may show of a run."""
    settings = config.to_plain()
    is_job = folder.is_job or any((folder.path.parent / name).exists() for name in ("summary.csv", *LOCK_FILES))
    return RunDetails(
        path=folder.path,
        name=f"{config.name}/{folder.path.name}",
        project=config.name,
        group=folder.path.parent.name if is_job else None,
        tags=tuple(settings.get("tags") or ()),
        notes=settings.get("notes") or "",
    )


def as_run_loggers(loggers: Iterable[Logger]) -> list[RunLogger]:
    """Return the loggers of a Trainer as those of a run."""
    return [each if isinstance(each, RunLogger) else LightningLogger(each) for each in loggers]


@contextmanager
def ending(loggers: Iterable[RunLogger]) -> Iterator[dict[str, Any]]:
    """End the loggers after the block, with the status that it leaves in the dict, or that of its exception.

    A failure of one logger ends neither the others nor hides the exception of the block.
    """
    outcome = {"status": "failed"}
    try:
        yield outcome
    except BaseException as error:
        outcome["status"] = "failed" if isinstance(error, Exception) else "interrupted"
        raise
    finally:
        for each in loggers:
            try:
                each.end(outcome["status"])
            except Exception as error:
                logger.warning(f"{type(each).__name__}: the logger could not end its run ({error}).")


def _build(key: str, node: dict[str, Any], folder: RunFolder) -> Logger:
    try:
        bound = bind(key, node)
        accepts = inspect.signature(bound.func).parameters
        given = {"save_dir": str(folder.path)} if "save_dir" in accepts and "save_dir" not in bound.keywords else {}
        built = call(key, bound, **given)
    except ModuleNotFoundError as error:
        raise ValueError(f"{key}: must be used with a package that is not installed ({error}).") from error
    if not isinstance(built, Logger):
        raise ValueError(f"{key}={type(built).__name__}: must be a subclass of lightning.pytorch.loggers.Logger.")
    return built
