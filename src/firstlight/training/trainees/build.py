"""Choose what a run trains."""

from firstlight.training.assemble import Parts
from firstlight.training.trainees.task_trainee import TaskTrainee
from firstlight.training.trainees.trainee import Trainee


def build_trainee(parts: Parts) -> Trainee:
    """Return what a run trains.

    Raises:
        ValueError: the parts do not fit together.
    """
    # The classes for the modules of users need all of torchmetrics, which takes seconds to import.
    if parts.config.has_lightning_module:
        from firstlight.training.trainees.module_trainee import ModuleTrainee

        return ModuleTrainee(parts)
    if parts.data is None:
        from firstlight.training.trainees.batch_trainee import BatchTrainee

        return BatchTrainee(parts)
    return TaskTrainee(parts)
