"""Tasks: network, loss, metrics and optimizer together; the only place that knows Lightning's hooks."""

from firstlight.tasks.adversarial import Adversarial as Adversarial
from firstlight.tasks.classification import Classification as Classification
from firstlight.tasks.language import Language as Language
from firstlight.tasks.recipe import Recipe as Recipe
from firstlight.tasks.reconstruction import Reconstruction as Reconstruction
from firstlight.tasks.regression import Regression as Regression
from firstlight.tasks.task import Task as Task
