"""Choose what a run trains."""

from firstlight.training.assemble import Parts
from firstlight.training.trainees.batch_trainee import BatchTrainee
from firstlight.training.trainees.module_trainee import ModuleTrainee
from firstlight.training.trainees.task_trainee import TaskTrainee
from firstlight.training.trainees.trainee import Trainee


def build_trainee(parts: Parts) -> Trainee:
    """Return what a run trains.

    Raises:
        ValueError: the parts do not fit together.
    """
    if parts.config.has_lightning_module:
        return ModuleTrainee(parts)
    return BatchTrainee(parts) if parts.data is None else TaskTrainee(parts)
