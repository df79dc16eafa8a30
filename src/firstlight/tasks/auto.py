"""The task that follows from the targets of the data."""

from firstlight.spec import DataSpec
from firstlight.tasks.classification import Classification
from firstlight.tasks.language import Language
from firstlight.tasks.regression import Regression
from firstlight.tasks.task import Task

FOR_TARGETS: dict[str, type[Task]] = {"classes": Classification, "numbers": Regression, "tokens": Language}


class Auto(Task):
    """Classification if the targets are classes, and regression if they are numbers, with their default options.

    A table shows only when it is read what its target is. The arguments are those of `Task`.
    """

    def __new__(cls, spec: DataSpec, *args: object, **options: object) -> Task:  # type: ignore[misc]
        return FOR_TARGETS[spec.targets](spec, *args, **options)  # type: ignore[arg-type]
