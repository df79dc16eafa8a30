"""What a page is about: a trained task, and what is known of the run around it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firstlight.data.images.known_images import KnownImages
from firstlight.runs import RunFolder
from firstlight.runs.demo.examples import Examples
from firstlight.runs.device import pick_device
from firstlight.runs.load import load_task
from firstlight.runs.predict.predictor import known_of
from firstlight.tasks import Task

MAX_PIXELS = 100_000_000
_MAX_METRICS = 4  # in the summary


@dataclass(frozen=True)
class Subject:
    """A trained run as the page shows it.

    Attributes:
        task: the task with its weights, in evaluation mode, on its device.
        title: the heading, such as "mnist-lenet".
        summary: the results of the test split in one line; empty if there are none.
        known: the training images in a few numbers, for warnings; None if the run has none.
        examples: samples of the test split; empty if the data is not here.
        max_pixels: images with more pixels are refused.
        folder: the temporary folder of the page, which is deleted at its end.
    """

    task: Task
    title: str
    summary: str
    known: KnownImages | None
    examples: Examples
    max_pixels: int
    folder: Path

    @classmethod
    def of(
        cls,
        run: str | Path,
        folder: Path,
        checkpoint: str = "best",
        accelerator: str = "auto",
        max_pixels: int = MAX_PIXELS,
        trust: bool = False,
    ) -> "Subject":
        """Load a run.

        Args:
            run: the run folder.
            folder: the temporary folder of the page.
            checkpoint: "best" or "last".
            accelerator: see `pick_device`.
            max_pixels: images with more pixels are refused.
            trust: whether the run's config may name any class or function, see `RunFolder.config`.

        Raises:
            ValueError: the run, the checkpoint or the accelerator does not exist.
        """
        opened = RunFolder.open(run)
        task = load_task(run, checkpoint, pick_device(accelerator), trust)
        examples = Examples.of(opened, task.spec, trust)
        title, summary = opened.config(trust).name, _summary(opened.metrics())
        return cls(task, title, summary, known_of(run), examples, max_pixels, folder)


def _summary(metrics: dict[str, Any]) -> str:
    found = {key.removeprefix("test/"): value for key, value in metrics.items() if key.startswith("test/")}
    shown = [f"{name} {value:.4g}" for name, value in found.items() if isinstance(value, int | float)]
    return f"Test split: {', '.join(shown[:_MAX_METRICS])}" if shown else ""
