"""Check what a run looks at while it trains."""

from typing import Any

from firstlight.config.checking.lightning_classes import is_data_module, is_lightning_module
from firstlight.config.options.watch import Watch


def check_watch(watch: Watch, config: dict[str, Any]) -> None:
    """Compare the options with the loggers, the task and the data of a run.

    Raises:
        ValueError: an option needs what the run does not have.
    """
    logger = config.get("logger") or {}
    targets = [str(node.get("_target_")) for node in logger.values() if isinstance(node, dict)]
    if watch != Watch() and is_lightning_module(config["task"]):
        raise ValueError("watch: must be left out with a LightningModule, which logs what it sees itself.")
    if watch.gap is not None and is_data_module(config["data"]):
        raise ValueError(f"watch.gap={watch.gap}: must be null with a LightningDataModule, which has no fixed samples.")
    if watch.layers and not targets:
        raise ValueError("watch.layers=true: must be false without a logger, such as logger=tensorboard.")
    if watch.histograms and not any(target.endswith(".TensorBoard") for target in targets):
        raise ValueError("watch.histograms=true: must be false without logger=tensorboard.")
