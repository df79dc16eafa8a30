"""The range test of a run: when it is refused, what it leaves, and the run that trains with its suggestion."""

from typing import NamedTuple

from lightning.pytorch import Trainer
from PIL import Image

from firstlight.config import RunConfig
from firstlight.config.values import as_yaml
from firstlight.files import write_text
from firstlight.log import logger
from firstlight.runs import RunFolder
from firstlight.runs.figures.canvas import as_image, save_figure
from firstlight.runs.figures.range_test import range_test_figure
from firstlight.tasks import Task
from firstlight.training.module import TrainingModule
from firstlight.training.optimizers import BoundOptimizer
from firstlight.training.range_test.curve import Curve
from firstlight.training.range_test.steps import find_curve, learning_rate
from firstlight.training.trainees.trainee import Trainee

NAME = "lr_find"  # of the files
METRIC = "lr_find/suggestion"  # in metrics.json


class RangeTest(NamedTuple):
    """What a range test leaves to the run.

    Attributes:
        config: the config to train with.
        image: the figure; None if the run has no figures.
    """

    config: RunConfig
    image: Image.Image | None


def check_range_test(config: RunConfig, task: Task | None) -> None:
    """Check that a range test is possible.

    Raises:
        ValueError: the run trains a LightningModule, several optimizers, or a task that acts.
    """
    key = f"lr_find={as_yaml(config.lr_find)}"
    if task is None:
        raise ValueError(f"{key}: must be false with a LightningModule, which makes its own optimizer.")
    if task.has_multiple_optimizers:
        raise ValueError(f"{key}: must be false with task={task.task_name}, which has several optimizers.")
    if task.acts:
        raise ValueError(f"{key}: must be false with task={task.task_name}, whose samples follow from its actions.")


def run_range_test(folder: RunFolder, trainee: Trainee, trainer: Trainer) -> RangeTest:
    """Find the curve, write lr_find.csv and lr_find.png, and print the suggestion.

    The run trains as without the test; with `lr_find=use` it trains with the suggestion, which config.yaml then holds.

    Args:
        folder: the run folder.
        trainee: a task with one optimizer, prepared and untrained.
        trainer: the Trainer of the run.
    """
    module, config = trainee.module, trainee.config
    assert isinstance(module, TrainingModule)
    assert module.train_loader is not None
    curve = find_curve(module.task, config, module.train_loader, trainer)
    write_text(folder.path / f"{NAME}.csv", curve.as_csv())
    if curve.suggestion is not None and config.lr_find == "use":
        before = learning_rate(module.optimizer.rehearse())
        config = module.config = config.with_learning_rate(curve.suggestion, before)
        module.optimizer = BoundOptimizer(config)
        folder.write_config(config)  # a resumed run continues with this learning rate
    _report(curve, config)
    return RangeTest(config, _draw(curve, config, folder))


def suggested(folder: RunFolder) -> dict[str, float]:
    """Return the suggestion of a run's range test for metrics.json; empty without one."""
    path = folder.path / f"{NAME}.csv"
    suggestion = Curve.read(path).suggestion if path.exists() else None
    return {} if suggestion is None else {METRIC: suggestion}


def _report(curve: Curve, config: RunConfig) -> None:
    used = config.optimizer.get("lr")
    trains = "" if used is None else f"; this run trains with {used:g}"
    if curve.suggestion is None:
        key = f"lr_find={as_yaml(config.lr_find)}"
        logger.warning(f"{key}: no learning rate can be suggested, because the loss falls at none{trains}.")
    else:
        logger.info(f"range test: optimizer.lr={curve.suggestion:.2g} is where the loss falls most steeply{trains}")


def _draw(curve: Curve, config: RunConfig, folder: RunFolder) -> Image.Image | None:
    if not config.figures or not curve.lrs:
        return None
    figure = range_test_figure(curve.lrs, curve.losses, curve.smoothed, curve.suggestion, config.optimizer.get("lr"))
    save_figure(figure, folder.path / f"{NAME}.png")
    return as_image(figure)
