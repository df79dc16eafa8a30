"""The numbers that are explained: one for each class or target."""

import torch
from torch import Tensor, nn

from firstlight.tasks import Classification, Regression, Task


class Outputs(nn.Module):
    """The outputs of a task as a function of its network's inputs: logits, or numbers in the units of the data.

    A single logit s that separates two classes speaks for one and against the other, so they become (-s, s).

    Args:
        task: a classification or a regression.

    Raises:
        ValueError: the task is another one.
    """

    def __init__(self, task: Task) -> None:
        super().__init__()
        if not isinstance(task, Classification | Regression):
            raise ValueError(
                f"task={task.task_name}: must be classification or regression, whose outputs can be explained."
            )
        self.task = task

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the numbers (batch, classes) or (batch, targets)."""
        outputs = self.task.network(inputs).float()
        if isinstance(self.task, Regression):
            return outputs * self.task.target_std + self.task.target_mean
        binary = isinstance(self.task, Classification) and self.task.binary
        return torch.cat([-outputs, outputs], 1) if binary else outputs

    def most_likely(self, numbers: Tensor) -> Tensor:
        """Return the index of the most likely class of each sample (batch,), or of the first target.

        Args:
            numbers: (batch, classes) or (batch, targets).
        """
        return numbers.argmax(1) if isinstance(self.task, Classification) else numbers.new_zeros(len(numbers)).long()
