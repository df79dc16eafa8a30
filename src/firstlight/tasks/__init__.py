"""Tasks: network, loss, metrics and optimizer together; the only place that knows Lightning's hooks."""

from firstlight.tasks.classification import Classification as Classification
from firstlight.tasks.task import Recipe as Recipe
from firstlight.tasks.task import Task as Task
