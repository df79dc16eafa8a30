"""Any logger of Lightning, as a logger of the run."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from lightning.pytorch.loggers import CometLogger, Logger, MLFlowLogger, TensorBoardLogger, WandbLogger
from PIL import Image

from firstlight.training.loggers.run_logger import RunLogger


class LightningLogger(RunLogger):
    """Passes the records of a run on to a logger of Lightning, which knows no texts and no end.

    Args:
        logger: the logger.
    """

    def __init__(self, logger: Logger) -> None:
        self.logger = logger

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        self.logger.log_hyperparams(params)

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        self.logger.log_metrics(dict(metrics), step)

    def add_image(self, name: str, image: Image.Image, step: int = 0) -> None:
        log_image(self.logger, name, image)

    def save(self) -> None:
        self.logger.save()

    def end(self, status: str) -> None:
        self.logger.finalize("success" if status in ("completed", "pruned") else "failed")
        if isinstance(self.logger, WandbLogger) and self.logger._experiment is not None:
            self.logger.experiment.finish(
                exit_code=0 if status in ("completed", "pruned") else 1
            )  # a sweep has one run per job


def log_image(logger: Logger, name: str, image: Image.Image) -> None:
    """Log an image with a logger of Lightning, if its kind takes images.

    Args:
        logger: the logger. One of another kind gets the image if it has Lightning's method `log_image`.
        name: the name of the image.
        image: the image.
    """
    if isinstance(logger, TensorBoardLogger):
        logger.experiment.add_image(name, np.asarray(image), dataformats="HWC" if image.mode == "RGB" else "HW")
    elif isinstance(logger, MLFlowLogger):
        logger.experiment.log_image(logger.run_id, image, f"{name}.png")
    elif isinstance(logger, CometLogger):
        logger.experiment.log_image(image, name)
    elif callable(method := getattr(logger, "log_image", None)):  # also that of WandbLogger
        method(key=name, images=[image])
