"""A straight line that learns: its slope and intercept and their gradients in each epoch, and their path."""

import math
from collections.abc import Callable
from typing import Any

from lightning.pytorch import Trainer
from torch import Tensor, nn

from firstlight.runs import RunFolder
from firstlight.runs.figures.canvas import as_image, save_figure
from firstlight.runs.figures.line import line_figure
from firstlight.tasks import Task
from firstlight.training.callbacks import Learner, Recorder, RunCallback

COLUMNS = ("slope", "intercept", "slope_gradient", "intercept_gradient")
_MAX_POINTS = 1000


class LineRecord(RunCallback):
    """Adds the columns of `COLUMNS` to the metrics of each epoch: the values after it, and the gradients of its
    last step.

    If an epoch is one step, each value is the one before, minus the learning rate times the gradient.

    Args:
        task: a task that `is_line`.
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self.path: list[list[float]] = []
        self._gradients: list[Tensor] = []

    def on_train_start(self, trainer: Trainer, learner: Learner) -> None:
        self.path = self.path or [[float(value.detach()) for value in _parameters(self.task)]]

    def on_step_end(self, trainer: Trainer, learner: Learner, loss: Any, num_samples: int) -> None:
        """Keep the gradients, which Lightning deletes before a validation."""
        self._gradients = [each.grad.clone() for each in _parameters(self.task) if each.grad is not None]

    def on_epoch_end(self, trainer: Trainer, learner: Learner) -> None:
        values = [float(value.detach()) for value in _parameters(self.task)]
        gradients = [float(each) for each in self._gradients] or [math.nan] * len(values)
        self.path.append(values)
        learner.metrics.update(zip(COLUMNS, [*values, *gradients], strict=True))

    def state_dict(self) -> dict[str, Any]:
        """Return the slope and the intercept at the start and after each epoch."""
        return {"path": self.path}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.path = [list(values) for values in state.get("path", [])]

    def draw(self, folder: RunFolder, samples: Callable[[str, int], tuple[Tensor, Tensor]], recorder: Recorder) -> None:
        """Write line.png to the run folder, and pass it on to the loggers."""
        x, y = samples("train", _MAX_POINTS)
        figure = line_figure(x[:, 0].cpu().numpy(), y[:, 0].cpu().numpy(), self.path, self.task.spec.labels[0])
        save_figure(figure, folder.path / "line.png")
        if recorder.loggers:
            recorder.add_image("line", as_image(figure), recorder.row.get("step", 0))


def _parameters(task: Task) -> list[nn.Parameter]:
    return sorted(task.network.parameters(), key=lambda value: -value.ndim)  # the weight has two axes
