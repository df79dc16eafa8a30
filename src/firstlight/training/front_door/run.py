"""A run as an object: its metrics, its network, and what can be done with it."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from firstlight.config import RunConfig
from firstlight.runs.run_folder import RunFolder
from firstlight.spec import DataSpec
from firstlight.training.front_door.network import TrainedNetwork

if TYPE_CHECKING:
    import polars as pl
    from PIL import Image
    from torch import Tensor, nn

    from firstlight.data.images.animation import Animation
    from firstlight.data.images.known_images import KnownImages
    from firstlight.tasks import Task


class Run(TrainedNetwork):
    """A run: a folder with everything that its training has produced. `train`, `resume` and `load_run` return it.

    Args:
        path: the run folder.
        checkpoint: "best" or "last".
        accelerator: "auto", "cpu" or "gpu": where the network computes.
        model: the module that was trained, if `train` got one; its weights stay as they are.
        trust: whether the run's config may name any class or function, see `RunFolder.config`.

    Attributes:
        path: the run folder.
        checkpoint: the checkpoint whose weights the network has.
        model: see above.

    Raises:
        ValueError: there is no run at `path`.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        checkpoint: str = "best",
        accelerator: str = "auto",
        model: "nn.Module | None" = None,
        trust: bool = False,
    ) -> None:
        self._folder = RunFolder.open(path)
        self.path = self._folder.path
        self.checkpoint = checkpoint
        self.model = model
        self._accelerator = accelerator
        self._trust = trust

    @property
    def config(self) -> RunConfig:
        """The config of the run, complete and checked."""
        return self._folder.config(self._trust)

    @property
    def spec(self) -> DataSpec:
        """The metadata of the data that the network was trained on: shapes, labels, statistics."""
        return self._folder.spec()

    @property
    def metrics(self) -> dict[str, Any]:
        """The content of metrics.json: the metrics of the best epoch as "val/loss", "status", times and sizes."""
        return self._folder.metrics()

    @property
    def history(self) -> "pl.DataFrame":
        """The metrics of every epoch: a data frame with a row for each epoch and the columns of metrics.csv."""
        import polars as pl

        whole = ("epoch", "step")
        frame = pl.DataFrame(self._folder.history())
        types = {name: pl.Int64 if name in whole else pl.Float64 for name in frame.columns}
        return frame.with_columns(pl.col(name).cast(kind, strict=False) for name, kind in types.items())

    def evaluate(
        self,
        split: str = "test",
        *,
        data_dir: str | Path | None = None,
        input: str | Path | None = None,
        **options: Any,
    ) -> dict[str, float]:
        """Evaluate the network as training does at its end, and print the metrics.

        Args:
            split: "test", or "val": the part of the training samples that the run held out.
            data_dir: the folder of the data, if it has moved. Other data there is evaluated as other data.
            input: other labelled data: a folder with a folder of images for each class, a table, or a text.
            options: those of `firstlight.runs.evaluate.evaluate`: `figures`, `output`, `calibrate`, `threshold`.

        Returns:
            The metrics `<split>/<name>`, or `other/<name>` for other data.

        Raises:
            ValueError: see `firstlight.runs.evaluate.evaluate`.
        """
        from firstlight.training.trainees.evaluate import evaluate

        data = None if data_dir is None else {"dir": str(data_dir)}
        with self._with_model():
            words = self.path, split, self.checkpoint, data, self._accelerator, input, self._trust
            found = evaluate(*words, **options)
        if options.get("calibrate"):
            vars(self).pop("task", None)  # it is loaded again, with its temperature
        return found

    def explain(
        self, inputs: Any = None, *, class_name: str | None = None, invert: Literal["auto", True, False] = "auto"
    ) -> "Image.Image":
        """Explain predictions in one figure, as explain.py does. Nothing is printed or written.

        Args:
            inputs: what `predict` takes; the first eight inputs are explained. None for the test split of a table.
            class_name: the class or target to explain; None for the most likely class, or the first target.
            invert: see `predict`.

        Returns:
            The figure as an image of Pillow, which a notebook shows.

        Raises:
            ValueError: see `firstlight.runs.explain.explainer.explain`.
        """
        from firstlight.runs.explain.explainer import check_explains, explain_inputs, explain_split
        from firstlight.runs.figures.canvas import as_image
        from firstlight.runs.predict.predictor import open_inputs

        check_explains(self.task, self.path, class_name)
        if inputs is None:
            return as_image(explain_split(self.task, self._folder, trust=self._trust).figure)
        neighbour = self.path / "predictions.csv"
        opened = open_inputs(inputs, neighbour, self.spec, self._interpolation, invert, self._known, run=self.path)
        name = str(inputs) if isinstance(inputs, str | Path) else type(inputs).__name__
        return as_image(explain_inputs(self.task, opened, class_name, name).figure)

    def sample(self, **options: Any) -> "Tensor | str | Animation":
        """Generate a text or images, print or count them, and write them to a file.

        Args:
            options: those of `firstlight.runs.sample.sample`: `output`, `seed`, `prompt`, `length`, `temperature`,
                `number`.

        Returns:
            The text, the images (number, channels, height, width), from 0 to 1, or the animation of an agent.

        Raises:
            ValueError: see `firstlight.runs.sample.sample`.
        """
        from firstlight.runs.sample import sample

        with self._with_model():
            return sample(self.path, checkpoint=self.checkpoint, trust=self._trust, **options)

    @property
    def network(self) -> "nn.Module":
        """The network in evaluation mode; that of a run of a LightningModule has it as its attribute `module`.

        It takes what `task.preprocess` makes of raw samples (batch, ...), or what a LightningDataModule yields. Such a
        run has no `task`, so it predicts nothing.
        """
        alone = self._network_alone
        return super().network if alone is None else alone

    @cached_property
    def _network_alone(self) -> "nn.Module | None":
        if not self.config.has_data_module:
            return None
        from firstlight.runs.device import pick_device
        from firstlight.runs.load import load_network_alone

        with self._with_model():
            return load_network_alone(self.path, self.checkpoint, pick_device(self._accelerator), self._trust)

    def _load(self) -> "Task":
        from firstlight.runs.device import pick_device
        from firstlight.runs.load import load_task

        with self._with_model():
            return load_task(self.path, self.checkpoint, pick_device(self._accelerator), self._trust)

    @contextmanager
    def _with_model(self) -> Iterator[None]:
        """Let the config stand for a copy of the module, which gets the weights of the checkpoint."""
        if self.model is None:
            yield
            return
        from firstlight.networks.live import given_network

        with given_network(copy.deepcopy(self.model)):
            yield

    @cached_property
    def _known(self) -> "KnownImages | None":
        from firstlight.runs.predict.predictor import known_of

        return known_of(self.path)

    def __repr__(self) -> str:
        metrics = self.metrics
        tested = [f"{name} {value:.4f}" for name, value in metrics.items() if name.startswith("test/")]
        return f"<Run {self.path}, {', '.join([str(metrics.get('status', 'unfinished')), *tested[:2]])}>"

    def _repr_html_(self) -> str:
        """Return the metrics as a table for notebooks."""
        from firstlight.training.front_door.display import run_html

        return run_html(self.path, self.metrics)


def load_run(
    path: str | Path,
    *,
    checkpoint: str = "best",
    accelerator: str = "auto",
    model: "nn.Module | None" = None,
    trust: bool = False,
) -> Run:
    """Return the run in a folder. The data is not needed.

    Args:
        path: the run folder.
        checkpoint: "best" or "last".
        accelerator: "auto", "cpu" or "gpu": where the network computes.
        model: a module of the class that the run has trained, if `train` got a module and not a name.
        trust: whether the run's config may name any class or function. Set it for runs whose author you trust.

    Raises:
        ValueError: there is no run at `path`. The checkpoint is read later, when the network is needed.
    """
    return Run(path, checkpoint=checkpoint, accelerator=accelerator, model=model, trust=trust)
