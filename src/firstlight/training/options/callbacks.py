"""The callbacks of a config: check what they need, and give them a place in the run folder."""

import importlib.util
from pathlib import Path
from typing import Any

from lightning.pytorch.callbacks import Callback, DeviceStatsMonitor, EarlyStopping, ModelCheckpoint

from firstlight.checks import choose
from firstlight.config import RunConfig
from firstlight.files import user_path
from firstlight.tasks import Task

FOLDER = "model_checkpoints"  # in the run folder, for a ModelCheckpoint without a folder of its own


def prepare_callbacks(
    callbacks: list[Callback], config: RunConfig, task: Task | None, device_type: str, run_dir: Path | None
) -> None:
    """Check the callbacks of a config, and complete those that write files.

    Args:
        callbacks: the callbacks; a ModelCheckpoint without a folder gets one in the run folder.
        config: the config of the run.
        task: the task, whose metrics the callbacks may monitor; None if its metrics are unknown.
        device_type: the type of the device, such as "cpu".
        run_dir: the run folder; None if there is none.

    Raises:
        ValueError: a callback monitors an unknown metric, needs a package, or would replace the run's checkpoints.
    """
    splits = ["train"] if config.trainer.get("limit_val_batches") == 0 else ["train", "val"]
    metrics = [f"{split}/{each.name}" for split in splits for each in (task.metrics_of(split) if task else ())]
    for index, callback in enumerate(callbacks):
        key = f"trainer.callbacks.{index}"
        if isinstance(callback, EarlyStopping | ModelCheckpoint) and callback.monitor is not None and task:
            progress = ["epoch", "step"] if isinstance(callback, ModelCheckpoint) else []
            choose(f"{key}.monitor", callback.monitor, [*metrics, *progress], "metric")
        if isinstance(callback, ModelCheckpoint) and run_dir is not None:
            _give_folder(key, callback, run_dir)
        if isinstance(callback, DeviceStatsMonitor) and _needs_psutil(callback, device_type):
            raise ValueError(
                f"{key}=DeviceStatsMonitor: must be used with the package psutil. To fix: pip install psutil"
            )


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
