"""The range test of a run: when it is refused, and what it leaves in the run folder."""

from lightning.pytorch import Trainer

from firstlight.files import write_text
from firstlight.log import logger
from firstlight.runs import RunFolder
from firstlight.runs.figures.canvas import as_image, save_figure
from firstlight.runs.figures.range_test import range_test_figure
from firstlight.tasks import Task
from firstlight.training.callbacks import Recorder
from firstlight.training.module import TrainingModule
from firstlight.training.range_test.steps import find_curve
from firstlight.training.trainees.trainee import Trainee

NAME = "lr_find"  # of the files


def check_range_test(task: Task | None) -> None:
    """Check that a range test is possible.

    Raises:
        ValueError: the run trains a LightningModule or several optimizers.
    """
    if task is None:
        raise ValueError("lr_find=true: must be false with a LightningModule, which makes its own optimizer.")
    if task.has_multiple_optimizers:
        raise ValueError(f"lr_find=true: must be false with task={task.task_name}, which has several optimizers.")


def run_range_test(folder: RunFolder, trainee: Trainee, trainer: Trainer, recorder: Recorder) -> None:
    """Find the curve, write lr_find.csv and lr_find.png, and print the suggestion. The run trains as without it.

    Args:
        folder: the run folder.
        trainee: a task with one optimizer, prepared and untrained.
        trainer: the Trainer of the run.
        recorder: passes the figure on to the loggers.
    """
    module, config = trainee.module, trainee.config
    assert isinstance(module, TrainingModule)
    assert module.train_loader is not None
    curve = find_curve(module.task, config, module.train_loader, trainer)
    write_text(folder.path / f"{NAME}.csv", curve.as_csv())
    used = config.optimizer.get("lr")
    if config.figures and curve.lrs:
        figure = range_test_figure(curve.lrs, curve.losses, curve.smoothed, curve.suggestion, used)
        save_figure(figure, folder.path / f"{NAME}.png")
        recorder.add_image(NAME, as_image(figure))
    if curve.suggestion is None:
        logger.warning("lr_find=true: no learning rate can be suggested, because the loss falls at none.")
    else:
        trains = "" if used is None else f"; this run trains with {used:g}"
        logger.info(f"range test: optimizer.lr={curve.suggestion:.2g} is where the loss falls most steeply{trains}")
