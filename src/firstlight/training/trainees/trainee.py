"""The base class of what a run trains."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from PIL import Image
from torch import Tensor

from firstlight.config import RunConfig
from firstlight.tasks import Task
from firstlight.training.callbacks import Learner, Recorder, RunCallback
from firstlight.training.watching.gap import GAP


class Trainee(ABC):
    """A LightningModule with its data, and what the folder of a run holds of them.

    Attributes:
        config: the config of the run.
        module: the module that Lightning trains.
        data: the batches of each split; complete after `prepare`.
        learner: the state of the training, which callbacks read.
        callbacks: run callbacks of the trainee itself, which are called before those of the run.
        task: the task that is trained; None for a LightningModule of the user.
        predictor: the task that predicts from the run folder, or prepares batches; None if there is none.
        evaluates_untrained: whether a run also evaluates the module before its first step.
        augmentation: draws the image that shows the augmentation; None if there is none.
        test_samples: returns the raw samples at these places of the test split; None if they cannot be read again.
    """

    config: RunConfig
    module: LightningModule
    data: LightningDataModule
    learner: Learner
    callbacks: Sequence[RunCallback] = ()
    task: Task | None = None
    predictor: Task | None = None
    evaluates_untrained: bool = False
    augmentation: Callable[[], Image.Image] | None = None
    test_samples: Callable[[Tensor], Tensor] | None = None

    @property
    def mode(self) -> str:
        """Return "min" if lower values of `monitor` are better, else "max"."""
        mode = self.task.monitored(self.config.monitor).direction if self.task else self.config.monitor_mode
        assert mode is not None  # `build_task` and `RunConfig.parse` refuse a metric whose direction is unknown
        return mode

    @property
    def metric_names(self) -> list[str] | None:
        """The metrics of each epoch, such as "val/loss"; None if each epoch shows which ones there are."""
        if self.task is None:
            return None
        names = [f"{split}/{each.name}" for split in ("train", "val") for each in self.task.metrics_of(split)]
        return names + (self._gaps(self.task.metric_names) if self.config.watch.gap else [])

    @staticmethod
    def _gaps(names: Sequence[str]) -> list[str]:
        return [f"{GAP}/{name}" for name in names]

    @property
    def directions(self) -> dict[str, str | None]:
        """Return "min" or "max" by the name of the metric without its split; None where it is unknown."""
        if self.task is None:
            return {self.config.monitor.rpartition("/")[2]: self.config.monitor_mode}
        return {each.name: each.direction for split in ("train", "val") for each in self.task.metrics_of(split)}

    @property
    def headline(self) -> list[str]:
        """The metrics in the line of an epoch; none if each epoch shows which ones there are."""
        if self.task is None:
            return []
        names = ("loss", *self.task.headline, *(metric.name for metric in self.task.added_metrics))
        shown = [f"{split}/{name}" for name in names for split in ("train", "val")]
        return shown + (self._gaps(self.task.headline or ("loss",)) if self.config.watch.gap else [])

    @abstractmethod
    def prepare(self, trainer: Trainer) -> None:
        """Make `data` ready for the devices of the Trainer, and print what is trained on which data.

        Raises:
            ValueError: the data and the options of the Trainer do not fit together.
        """

    def seed_data(self, trainer: Trainer) -> None:  # noqa: B027  # data of firstlight draws nothing
        """Seed what the data draws when Lightning sets it up, such as a random split. Called before each set-up."""

    @abstractmethod
    def write_data(self) -> None:
        """Write to the run folder what the data was. It marks the start of the training."""

    @abstractmethod
    def evaluate(self, trainer: Trainer, split: str) -> dict[str, float]:
        """Return the metrics of "val" or "test"; none if there are no batches or no metrics of that split."""

    @abstractmethod
    def load_weights(self, checkpoint: str) -> None:
        """Load the weights of "best" or "last" from the run folder.

        Raises:
            ValueError: the checkpoint does not exist or is damaged.
        """

    def draw(self, recorder: Recorder) -> None:  # noqa: B027  # most have nothing of their own
        """Draw what only this trainee records, in the run folder and for the loggers. Called after the training."""

    def examples(self) -> Any:
        """Return an example of the output of the trained module: images (samples, ...), a text, or None."""
        return None

    def samples(self, split: str, number: int) -> tuple[Tensor, Tensor] | None:
        """Return the first raw inputs and targets of a split, at most `number`; None if they cannot be read again."""
        return None

    @abstractmethod
    def costs(self, samples_per_second: float) -> dict[str, Any]:
        """Return the size and the cost of the module, for metrics.json."""

    def finish(self) -> None:  # noqa: B027  # most have nothing to write
        """Write files that predictions need to the run folder."""
