"""What a run expects of a logger. Every method has a default except those of Lightning that a logger must have."""

from dataclasses import dataclass
from pathlib import Path

from lightning.pytorch.loggers import Logger
from PIL import Image
from torch import Tensor

_OF_BEST = ("epoch", "train/", "val/")  # the numbers of metrics.json that belong to the best epoch


@dataclass(frozen=True)
class RunDetails:
    """What a logger may show of a run besides its numbers.

    Attributes:
        path: the run folder, in which the files of a logger lie.
        name: the name of the run, "<data>-<model>/<folder>".
        project: the runs that belong together, "<data>-<model>".
        group: the name of the sweep's folder; None for a run of its own.
        tags: short labels.
        notes: a text about the run.
    """

    path: Path
    name: str
    project: str
    group: str | None = None
    tags: tuple[str, ...] = ()
    notes: str = ""


class RunLogger(Logger):
    """A logger of Lightning that knows its run.

    Lightning and its callbacks call `log_metrics`, on any logger. The run calls the other methods, on the first rank
    only and in this order: `attach`, `begin`, the methods for records, `end`. A subclass must have `log_metrics` and
    `log_hyperparams`.

    Attributes:
        run: the details of the run, after `attach`.
        is_new: whether the run has no records yet, so that it needs the texts and images of its start.
        drops_repetitions: whether a metric that is logged twice for the same step is kept once.
    """

    run: RunDetails
    is_new: bool = True
    drops_repetitions: bool = False

    @property
    def name(self) -> str | None:
        """The runs that belong together."""
        return self.run.project

    @property
    def version(self) -> str | None:
        """The name of the run folder."""
        return self.run.path.name

    @property
    def save_dir(self) -> str | None:
        """The run folder. Lightning reads it on every rank."""
        return str(self.run.path)

    @property
    def root_dir(self) -> str | None:
        """The run folder, under the name that the loggers of Lightning have for it."""
        return self.save_dir

    @property
    def log_dir(self) -> str | None:
        """The folder of the files of this logger, which the code of a `LightningModule` may read on every rank."""
        return self.save_dir

    def attach(self, run: RunDetails) -> None:
        """Learn about the run. Called on every rank; it must not write."""
        self.run = run

    def begin(self, epochs: int, steps: int) -> None:
        """Begin the records, or continue those of a run that is resumed.

        Args:
            epochs: epochs that have ended before; 0 for a new run. What is later is written again.
            steps: optimizer steps that have been taken before.
        """
        self.is_new = epochs == 0

    def log_epoch(self, metrics: dict[str, float], step: int, epoch: int) -> None:
        """Log the metrics of an epoch.

        Args:
            metrics: the names and values of the row in metrics.csv.
            step: optimizer steps so far.
            epoch: epochs so far.
        """
        self.log_metrics(metrics | {"epoch": epoch}, step)

    def log_results(self, metrics: dict[str, float], step: int, epoch: int) -> None:
        """Log the numbers of metrics.json, those of the best epoch as "best/..."; see `log_epoch`."""
        self.log_metrics(results(metrics), step)

    def add_text(self, name: str, text: str, step: int = 0) -> None:
        """Log a text; see `add_image`."""

    def add_image(self, name: str, image: Image.Image, step: int = 0) -> None:
        """Log an image.

        Args:
            name: the name of the image; one that changes during the training has the same name at each step.
            image: the image, in grey or in colour.
            step: optimizer steps so far; 0 for an image that does not change.
        """

    def add_histogram(self, name: str, values: Tensor, step: int = 0) -> None:
        """Log the distribution of finite values of any shape, on the CPU; see `add_image`."""

    def add_graph(self, graph: bytes) -> None:
        """Log the operations of the network: a serialized `GraphDef`, which TensorBoard shows."""

    def save(self) -> None:
        """Write what is still in memory. Called after each epoch, before its checkpoint is written."""

    def end(self, status: str) -> None:
        """End the records.

        Args:
            status: "completed", "pruned", "diverged", "failed" or "interrupted", as in metrics.json.
        """
        self.save()

    def finalize(self, status: str = "success") -> None:
        """Do nothing: Lightning calls this after the training and again after the test, and `end` is the end."""


def results(metrics: dict[str, float]) -> dict[str, float]:
    """Return the numbers of metrics.json under names that differ from those of the epochs."""
    return {f"best/{name}" if name.startswith(_OF_BEST) else name: value for name, value in metrics.items()}
