"""Lightning's Trainer, as firstlight uses it."""

from typing import Any

from lightning.pytorch import Callback, Trainer
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from firstlight.config import RunConfig
from firstlight.config.instantiate import bind, call
from firstlight.tasks import Task
from firstlight.training.callbacks.checkpoints import AtomicCheckpointIO
from firstlight.training.launch import is_one_of_several

# firstlight has its own logs, progress bar and summary. A config may switch on those of Lightning.
_DEFAULTS = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
_REFUSED_PRECISIONS = ("16-true", "bf16-true", "64-true", "64")


def build_trainer(config: RunConfig, task: Task, callback: Callback | None = None) -> Trainer:
    """Return the Trainer of a config.

    The Trainer does not get `max_steps`; the callback `StepLimit` ends the run instead. Lightning would skip the last
    validation, and would not exactly resume a run that was stopped at the end of an epoch.

    Args:
        config: the config of the run.
        task: the task to train.
        callback: called after the callbacks of the config; None for no further callback and no checkpoints.

    Raises:
        ValueError: an option of `trainer` is refused.
    """
    _check(config, task)
    options: dict[str, Any] = (
        _DEFAULTS | {"enable_checkpointing": callback is not None} | config.trainer | {"max_steps": -1}
    )
    if _needs_unused_parameters(config, task) and options.get("strategy", "auto") == "auto":
        options["strategy"] = "ddp_find_unused_parameters_true"
    trainer_class = bind("trainer", options)
    callbacks = [*_as_list(trainer_class.keywords.get("callbacks")), *([callback] if callback else [])]
    plugins = [*_as_list(trainer_class.keywords.get("plugins")), AtomicCheckpointIO()]
    try:
        return call("trainer", trainer_class, callbacks=callbacks, plugins=plugins)
    except MisconfigurationException as error:
        raise ValueError(f"trainer: must be options that Lightning accepts. {error}") from error


def _check(config: RunConfig, task: Task) -> None:
    if config.trainer.get("max_epochs") == 0:
        raise ValueError("trainer.max_epochs=0: must be at least 1, or -1 for no limit.")
    if config.precision in _REFUSED_PRECISIONS:
        raise ValueError(
            f"trainer.precision={config.precision}: must be 32-true, bf16-mixed or 16-mixed; weights stay float32."
        )
    if task.has_multiple_optimizers:
        for key, allowed in {"accumulate_grad_batches": (None, 1), "gradient_clip_val": (None, 0)}.items():
            if config.trainer.get(key) not in allowed:
                raise ValueError(
                    f"trainer.{key}={config.trainer[key]}: must be left out with task={task.task_name},"
                    " which has several optimizers."
                )


def _needs_unused_parameters(config: RunConfig, task: Task) -> bool:
    """Return whether a step may use only some of the parameters, so that processes must not wait for all gradients."""
    return is_one_of_several() and (task.has_multiple_optimizers or config.transfer.unfreeze_at_epoch is not None)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
