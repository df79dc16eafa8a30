"""A trained network that predicts what a program gives it."""

from abc import ABC, abstractmethod
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from firstlight.checks import check_range
from firstlight.spec import DataSpec

if TYPE_CHECKING:
    from torch import nn

    from firstlight.data.images.known_images import KnownImages
    from firstlight.tasks import Task


class TrainedNetwork(ABC):
    """A trained network with its preprocessing. Nothing is imported or read before it is needed.

    Raises:
        ValueError: see `firstlight.load_run`.
    """

    @abstractmethod
    def _load(self) -> "Task": ...

    @cached_property
    def task(self) -> "Task":
        """The network with its preprocessing, loss and metrics: a `torch.nn.Module` in evaluation mode."""
        return self._load()

    @property
    def network(self) -> "nn.Module":
        """The network in evaluation mode. It takes what `task.preprocess` makes of raw samples (batch, ...)."""
        network: nn.Module = self.task.network
        return network

    @property
    def spec(self) -> DataSpec:
        """The metadata of the data that the network was trained on: shapes, labels, statistics."""
        return self.task.spec

    @property
    def _interpolation(self) -> str:
        return "bilinear"

    @property
    def _known(self) -> "KnownImages | None":
        return None

    def predict(
        self, inputs: Any, *, batch_size: int = 32, invert: Literal["auto", True, False] = "auto"
    ) -> list[dict[str, Any]]:
        """Predict images, rows of a table or texts, as predict.py does. Nothing is printed or written.

        Args:
            inputs: for images of any size: a path, the bytes of a file, an image of Pillow, a NumPy array or a tensor
                (height, width), (height, width, channels) or (channels, height, width) with one, three or four
                channels, uint8 or from 0 to 1; a list of them, or an array of several; or a folder.
                For tables: a row as a dict, a list of rows, a data frame of polars or pandas, the path of a file, or
                numbers (rows, inputs).
                For texts: a text, a list of texts, or the path of a file, see `TextInputs.read`.
            batch_size: inputs that pass through the network at a time.
            invert: "auto" inverts images of a light ground if the training images have a dark one, or the reverse.

        Returns:
            A row for each input, see `firstlight.runs.predict.predict`. Its first column is `path` for the images of a
            path, and else `image`: a number from 1, or the path.

        Raises:
            ValueError: the task does not predict, or an input cannot be read. Of a folder, images that cannot be read
                are reported and left out.
        """
        from firstlight.runs.predict.predictor import check_predicts, open_inputs
        from firstlight.runs.predict.results import predict_all
        from firstlight.runs.predict.screen import problems_text, show

        check_range("batch_size", batch_size, at_least=1)
        run = getattr(self, "path", None)
        check_predicts(self.task, run)
        target = Path("predictions.csv").absolute()
        opened = open_inputs(inputs, target, self.spec, self._interpolation, invert, self._known, run=run)
        rows = predict_all(self.task, opened, batch_size)
        if not rows:
            raise ValueError(opened.problems[0])
        for line in problems_text(opened.problems):
            show(line)
        return rows
