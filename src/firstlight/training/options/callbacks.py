"""The callbacks of a config: check what they need, and give them a place in the run folder."""

import importlib.util
from functools import partial
from pathlib import Path
from typing import Any

from lightning.pytorch.callbacks import Callback, DeviceStatsMonitor, EarlyStopping, ModelCheckpoint

from firstlight.checks import choose
from firstlight.config import RunConfig
from firstlight.config.checking.trainer import callbacks_by_place
from firstlight.files import user_path
from firstlight.tasks import Task

FOLDER = "model_checkpoints"  # in the run folder, for a ModelCheckpoint without a folder of its own


def prepare_callbacks(
    given: Any, config: RunConfig, task: Task | None, device_type: str, run_dir: Path | None
) -> list[Callback]:
    """Return the callbacks of a config, after checks. Those that write files are completed.

    Args:
        given: one callback, a list or a mapping of them, of which some may be None; None for none. A ModelCheckpoint
            without a folder gets one in the run folder.
        config: the config of the run.
        task: the task, whose metrics the callbacks may monitor; None if its metrics are unknown.
        device_type: the type of the device, such as "cpu".
        run_dir: the run folder; None if there is none.

    Raises:
        ValueError: an object is no callback. Or a callback monitors an unknown metric, needs a package, or would
            replace the run's checkpoints.
    """
    callbacks = {f"trainer.{place}": each for place, each in callbacks_by_place(given).items() if each is not None}
    splits = ["train"] if config.trainer.get("limit_val_batches") == 0 else ["train", "val"]
    metrics = [f"{split}/{each.name}" for split in splits for each in (task.metrics_of(split) if task else ())]
    for key, callback in callbacks.items():
        if not isinstance(callback, Callback):  # Lightning would fail at its first call
            raise ValueError(f"{key}={_name(callback)}: must be an object of a subclass of lightning.pytorch.Callback.")
        if isinstance(callback, EarlyStopping | ModelCheckpoint) and callback.monitor is not None and task:
            progress = ["epoch", "step"] if isinstance(callback, ModelCheckpoint) else []
            choose(f"{key}.monitor", callback.monitor, [*metrics, *progress], "metric")
        if isinstance(callback, ModelCheckpoint) and run_dir is not None:
            _give_folder(key, callback, run_dir)
        if isinstance(callback, DeviceStatsMonitor) and _needs_psutil(callback, device_type):
            raise ValueError(
                f"{key}=DeviceStatsMonitor: must be used with the package psutil. To fix: pip install psutil"
            )
    return list(callbacks.values())


def _name(value: Any) -> str:
    """Return the name of the class of an object, or of what `_partial_: true` has bound."""
    return getattr(value.func, "__name__", "") if isinstance(value, partial) else type(value).__name__


def _give_folder(key: str, callback: Any, run_dir: Path) -> None:
    if callback.dirpath is None:
        callback.dirpath = str(run_dir / FOLDER)
    elif user_path(callback.dirpath) == run_dir / "checkpoints":
        raise ValueError(
            f"{key}.dirpath={callback.dirpath}: must be another folder, because the run keeps its checkpoints there."
        )


def _needs_psutil(callback: Any, device_type: str) -> bool:
    statistics = callback._cpu_stats  # no public name
    reads_cpu = device_type == "cpu" if statistics is None else statistics
    return reads_cpu and importlib.util.find_spec("psutil") is None
