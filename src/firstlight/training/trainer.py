"""Lightning's Trainer, as firstlight uses it."""

import os
from collections.abc import Mapping, Sequence, Sized
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import ModelSummary, ProgressBar
from lightning.pytorch.loggers import Logger, TensorBoardLogger
from lightning.pytorch.plugins import CheckpointIO, Precision
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from firstlight.config import RunConfig
from firstlight.config.instantiate import bind, build, call
from firstlight.files import user_path
from firstlight.runs.device import pick_device
from firstlight.tasks import Task
from firstlight.training.callbacks.checkpoints import AtomicCheckpointIO
from firstlight.training.launch import is_one_of_several
from firstlight.training.options.callbacks import prepare_callbacks
from firstlight.training.options.precision import Bfloat16


def build_trainer(
    config: RunConfig,
    task: Task | None,
    callback: Callback | None = None,
    run_dir: Path | None = None,
    loggers: Sequence[Logger] = (),
) -> Trainer:
    """Return the Trainer of a config.

    firstlight has its own progress bar, log and checkpoints. A config may add those of Lightning, which are then kept
    in the run folder. The Trainer does not get `max_steps`; the callback `StepLimit` ends the run instead. Lightning
    would skip the last validation, and would not exactly resume a run that was stopped at the end of an epoch.

    Args:
        config: the config of the run.
        task: the task to train; None for a LightningModule of the user.
        callback: called after the callbacks of the config; None for no further callback and no checkpoints.
        run_dir: the folder for what Lightning writes; None for the working directory.
        loggers: the loggers of the run. Those of the argument `trainer.logger` come after them.

    Raises:
        ValueError: an option of `trainer` is refused.
    """
    bound = bind("trainer", config.trainer)
    given: dict[str, Any] = bound.keywords
    device_type = call("trainer", pick_device, given.get("accelerator", "auto")).type
    _check(config, task, device_type)
    own = given.get("callbacks")
    callbacks = [] if own is None else prepare_callbacks(own, config, task, device_type, run_dir)
    root = given.get("default_root_dir")
    changed = {
        "max_epochs": _max_epochs(config, given),
        "max_steps": -1,
        "strategy": _strategy(config, task, given),
        "logger": [*loggers, *_loggers(given.get("logger"), user_path(root) if root else run_dir)],
        "enable_checkpointing": callback is not None,
        "enable_progress_bar": any(isinstance(each, ProgressBar) for each in callbacks),
        "enable_model_summary": False,  # it would draw a table that the log does not get
        "default_root_dir": user_path(root) if root else run_dir,
        "callbacks": [
            *callbacks,
            *([build("averaging", config.averaging)] if config.averaging else []),
            *([ModelSummary()] if given.get("enable_model_summary") else []),
            *([callback] if callback else []),
        ],
        **_precision_and_plugins(config, task, given, device_type),
        **({"deterministic": True} if config.deterministic else {}),
    }
    if task is not None and task.has_multiple_optimizers:  # `TrainingModule` clips their gradients itself
        changed |= {"gradient_clip_val": None, "gradient_clip_algorithm": None}
    try:
        trainer = call("trainer", bound, **changed)
    except MisconfigurationException as error:
        raise ValueError(f"trainer: must be options that Lightning accepts. {error}") from error
    return trainer


def check_batches(config: RunConfig, trainer: Trainer, loaders: Mapping[str, Sized]) -> None:
    """Check that the limits of the Trainer leave at least one batch of each split, unless they are 0.

    Raises:
        ValueError: a fraction of the batches is less than one, or a validation would come after the end of an epoch.
    """
    for split, loader in loaders.items():
        limit, number = getattr(trainer, f"limit_{split}_batches"), len(loader)
        if isinstance(limit, float) and 0 < limit * number < 1:
            overfits = config.trainer.get("overfit_batches") and split != "test"
            key = "trainer.overfit_batches" if overfits else f"trainer.limit_{split}_batches"
            raise ValueError(f"{key}={limit}: must be at least one of the {number} batches of {split}, as {key}=1 is.")
    interval, number = trainer.val_check_interval, len(loaders["train"])
    if isinstance(interval, int) and interval > number:
        raise ValueError(f"trainer.val_check_interval={interval}: must be at most {number}, the batches of an epoch.")


def _check(config: RunConfig, task: Task | None, device_type: str) -> None:
    """Check what depends on the environment and on the task; `config.checking.trainer` checks the rest."""
    for name in os.environ:
        if name.startswith("PL_TRAINER_"):  # Lightning would take it as a default, behind the back of the config
            key = name.removeprefix("PL_TRAINER_").lower()
            raise ValueError(f"{name}: must not be set in the environment. To fix: write trainer.{key}=")
    if config.precision == "16-mixed" and device_type == "cpu":
        raise ValueError("trainer.precision=16-mixed: must be bf16 or 32 on a CPU.")
    if config.trainer.get("sync_batchnorm") and device_type == "cpu" and is_one_of_several():
        raise ValueError("trainer.sync_batchnorm=true: must be used on GPUs, which torch needs for it.")
    if task is not None and task.acts and config.averaging:
        raise ValueError(
            f"averaging: must be none with task={task.task_name}, which acts with the weights of each step."
        )
    if task is not None and task.has_multiple_optimizers:
        if config.averaging:
            name = str(config.averaging["_target_"]).rpartition(".")[2]
            raise ValueError(
                f"averaging={name}: must be none with task={task.task_name}, which has several optimizers."
            )
        if (number := config.trainer.get("accumulate_grad_batches")) not in (None, 1):
            raise ValueError(
                f"trainer.accumulate_grad_batches={number}: must be left out with task={task.task_name},"
                " which has several optimizers."
            )


def _max_epochs(config: RunConfig, given: dict[str, Any]) -> int:
    """Return the limit on epochs. Without any limit, Lightning trains for 1000 epochs."""
    if given.get("max_epochs") is not None:
        return given["max_epochs"]
    return 1000 if config.max_steps is None and given.get("max_time") is None else -1


def _strategy(config: RunConfig, task: Task | None, given: dict[str, Any]) -> Any:
    """Return the strategy. A strategy for several processes would change the environment of a single one for ever."""
    if not is_one_of_several():
        return "auto"
    # A step may use only some of the parameters, so processes must not wait for the gradients of all.
    has_several = task is None or task.has_multiple_optimizers
    finds_unused = has_several or config.transfer.unfreeze_at_epoch is not None
    strategy = given.get("strategy", "auto")
    return "ddp_find_unused_parameters_true" if finds_unused and strategy == "auto" else strategy


def _precision_and_plugins(
    config: RunConfig, task: Task | None, given: dict[str, Any], device_type: str
) -> dict[str, Any]:
    plugins = _as_list(given.get("plugins"))
    for index, plugin in enumerate(plugins):
        for kind, instead in ((Precision, "trainer.precision"), (CheckpointIO, "the checkpoints of firstlight")):
            if isinstance(plugin, kind):
                name = type(plugin).__name__
                raise ValueError(f"trainer.plugins.{index}={name}: must be replaced by {instead}.")
    plugins.append(AtomicCheckpointIO(tests_content=task is None))
    if config.precision == "bf16-mixed":
        return {"precision": None, "plugins": [*plugins, Bfloat16(device_type)]}
    return {"precision": config.precision, "plugins": plugins}


def _loggers(given: Any, folder: Path | None) -> list[Logger]:
    """Return the loggers of the argument `logger`; Lightning's own default for true."""
    return [TensorBoardLogger(folder or Path())] if given is True else _as_list(given or None)


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else [] if value is None else [value]
