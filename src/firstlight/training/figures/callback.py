"""Which figures a run draws for its loggers, and when."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer
from PIL import Image
from torch import Tensor

from firstlight.data.images.contact_sheet import contact_sheet, write_image
from firstlight.log import logger
from firstlight.networks.network import completed
from firstlight.runs import RunFolder
from firstlight.runs.figures.filtered import filtered_image
from firstlight.tasks import Batch, Task
from firstlight.tasks.metrics.confusion import ConfusionMeter
from firstlight.training.callbacks import Learner, Recorder, RunCallback
from firstlight.training.figures.confusion import confusion_image
from firstlight.training.figures.graph import graph_of
from firstlight.training.figures.layers import channels_image, filters_image
from firstlight.training.figures.projector import MAX_SAMPLES, write_projector
from firstlight.training.figures.undisturbed import undisturbed
from firstlight.training.loggers.event_log import FOLDER

_NUM_SAMPLES = 16  # whose reconstructions are shown
_MIN_POINTS = 32
_STEP_COST = 3  # forward passes that the training step of a sample is worth
_FRACTION = 0.01  # of the training's operations that the features of test samples may take
# Figures in the run folder that the loggers get too.
_WRITTEN = ("confusion", "calibration", "precision_recall", "mistakes", "predicted_true")

Samples = Callable[[str, int], tuple[Tensor, Tensor] | None]
"""Returns the first raw inputs and targets of a split; None if they cannot be read again."""


class Figures(RunCallback):
    """Draws what there is to see of a task: in each epoch with a validation, and of the best checkpoint at the end.

    Only the first rank draws. Nothing of the training changes: neither weights nor modes nor random generators. A
    figure that cannot be drawn is left out, with a warning.

    Args:
        recorder: passes the figures on to the loggers. It must be called after this callback.
        task: says what there is to see, see `Task.figures`.
        samples: returns samples of a split.
    """

    def __init__(self, recorder: Recorder, task: Task, samples: Samples) -> None:
        self.recorder = recorder
        self.task = task
        self.samples = samples
        self._validated: Batch | None = None
        self._failed: set[str] = set()

    def on_epoch_end(self, trainer: Trainer, learner: Learner) -> None:
        """Draw the confusion matrix of the validation, and what the task shows."""
        meter = learner.validated
        if not (trainer.is_global_zero and self.recorder.loggers) or meter is None:
            return
        if isinstance(meter, ConfusionMeter):
            self._add(
                "val/confusion", lambda: confusion_image(meter.counts, self.task.spec.labels), trainer.global_step
            )
        if self._validated is None:
            self._validated = self._first("val")
        self._add_shown("val", self._validated, trainer.global_step)

    def finish(self, folder: RunFolder) -> None:
        """Draw the network of the best checkpoint, and what it makes of the test split. Called on the first rank."""
        step, batch = self.recorder.row.get("step", 0), self._first("test")
        if self.task.spec.kind == "images":
            self._draw_inside(folder, None if batch is None else batch[0], step)
        if not self.recorder.loggers:
            return
        self._add_shown("test", batch, step, is_final=True)
        for name in _WRITTEN:
            path = folder.path / f"{name}.png"
            if path.exists():
                self._add(f"test/{name}", partial(_read, path), step)
        self._attempt("the graph", self._add_graph)
        if (folder.path / FOLDER).is_dir() and self.task.spec.kind != "tokens":
            self._attempt("the projector", lambda: self._write_projector(folder))

    def _draw_inside(self, folder: RunFolder, raw: Tensor | None, step: int) -> None:
        """Draw what is inside an image network, in the run folder and for the loggers."""
        drawn: dict[str, Callable[[], Image.Image | None]] = {"filters": lambda: filters_image(self.task)}
        if raw is not None and self.task.latent_dim is None:
            drawn["channels"] = lambda: channels_image(self.task, raw[:1])
            drawn["filtered"] = lambda: filtered_image(self.task, raw)
        for name, draw in drawn.items():
            self._add(f"network/{name}", draw, step, folder.path / f"{name}.png")

    def _add_graph(self) -> None:
        network, task = completed(self.task.network), self.task
        inputs = network.example_input(1, task.device)
        if inputs is None:
            inputs = torch.zeros(1, *task.preprocess.output_spec.input_shape, device=task.device)
        with undisturbed(task):
            graph = graph_of(task.network, inputs)
        if graph is not None:
            self.recorder.add_graph(graph)

    def _write_projector(self, folder: RunFolder) -> None:
        seen = self.recorder.samples_seen
        number = min(MAX_SAMPLES, max(_MIN_POINTS, int(seen * _STEP_COST * _FRACTION)))
        found = self.samples("test", number)
        if found is not None:
            with undisturbed(self.task):
                write_projector(folder.path / FOLDER, self.task, *found)

    def _first(self, split: str) -> Batch | None:
        found = self.samples(split, _NUM_SAMPLES)
        return None if found is None else (found[0].to(self.task.device), found[1].to(self.task.device))

    def _add_shown(self, split: str, batch: Batch | None, step: int, *, is_final: bool = False) -> None:
        """Add what the task shows of a split."""
        if batch is None:
            return
        shown: dict[str, Tensor | str] = {}

        def ask() -> None:
            with undisturbed(self.task):
                shown.update(self.task.figures(*batch, is_final=is_final))

        self._attempt(f"{split}/", ask)
        for name, value in shown.items():
            if isinstance(value, str):
                self.recorder.add_text(f"{split}/{name}", value, step)
            else:
                self._add(f"{split}/{name}", partial(contact_sheet, value), step)

    def _add(self, name: str, draw: Callable[[], Image.Image | None], step: int, path: Path | None = None) -> None:
        """Add an image for the loggers, and write it to a path."""

        def add() -> None:
            with undisturbed(self.task):
                image = draw()
            if image is not None and path is not None:
                write_image(path, image)
            if image is not None:
                self.recorder.add_image(name, image, step)

        self._attempt(name, add)

    def _attempt(self, name: str, function: Callable[[], Any]) -> None:
        """Call a function; an error costs its figure alone, and is reported once."""
        try:
            function()
        except OSError:
            raise  # the disk is full
        except Exception as error:
            if name not in self._failed:
                self._failed.add(name)
                reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
                logger.warning(f"figures=true: {name} cannot be drawn ({reason[:200]}).")


def _read(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGB")
