"""The optimizer of a config: from its node to the optimizers of a task."""

from typing import Any

import torch
from torch import nn
from torch.optim import LBFGS, Optimizer

from firstlight.config import RunConfig
from firstlight.config.instantiate import bind, call
from firstlight.config.options import ParameterOptions
from firstlight.tasks import Task
from firstlight.training.optimizers.groups import Groups


class BoundOptimizer:
    """A node `optimizer` whose class is imported, and whose options wait for the parameters of a task.

    A class with an attribute `separates_hidden_matrices` that is true gets groups that say whether their members are
    hidden matrices, as `Muon` does.

    Args:
        config: the config of the run.

    Attributes:
        function: the class, with the options of the config.
        name: the name of the class.
    """

    def __init__(self, config: RunConfig) -> None:
        self.options = config.parameters
        self.function = bind("optimizer", config.optimizer)
        self.name: str = self.function.func.__name__

    def rehearse(self) -> Optimizer:
        """Return an optimizer of two parameters that nothing trains, so that wrong options are reported before the run.

        Raises:
            ValueError: an option is refused, or the class is no optimizer that computes the loss once in a step.
        """
        optimizer = call("optimizer", self.function, [nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1, 1))])
        if not isinstance(optimizer, Optimizer):
            raise ValueError(
                f"optimizer: must be a subclass of torch.optim.Optimizer, and not return a {type(optimizer).__name__}."
            )
        if isinstance(optimizer, LBFGS):
            raise self.refused()
        if not self.options.decay_biases_and_norms and "weight_decay" not in optimizer.defaults:
            raise ValueError(
                f"optimizer.decay_biases_and_norms=false: must be true with {self.name}, which has no weight_decay."
            )
        return optimizer

    def __call__(self, task: Task) -> list[Optimizer]:
        """Return the optimizers of a task: one for each of its `optimized_parts`.

        Raises:
            ValueError: a group is that of no layer, or an option is refused.
        """
        if task.has_multiple_optimizers:
            parts: list[Any] = [part.parameters() for part in task.optimized_parts()]
        else:
            parts = [task.freezing.parameters(self.function.keywords.get("lr"))]
        groups = self._groups(task)
        divided = parts if groups is None else [groups.divide(part) for part in parts]
        return [call("optimizer", self.function, part) for part in divided]

    def check(self, task: Task) -> None:
        """Check that the groups fit the network of a task.

        Raises:
            ValueError: a group is that of no layer.
        """
        self._groups(task)

    def _groups(self, task: Task) -> Groups | None:
        """Return what divides the parameters; None if the optimizer treats all of them alike."""
        separates: bool = getattr(self.function.func, "separates_hidden_matrices", False)
        if self.options == ParameterOptions() and not separates:
            return None
        return Groups(task.network, task.freezing.head_name, self.options, separates_hidden_matrices=separates)

    def refused(self) -> ValueError:
        """Return the error for an optimizer that computes the loss of a batch several times."""
        return ValueError(
            f"optimizer: must be one that computes the loss once in each step, and {self.name} repeats it."
        )
