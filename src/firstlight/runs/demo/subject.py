"""What a page is about: a trained task, and what is known of the run around it."""

from dataclasses import dataclass
from pathlib import Path

from firstlight.data.images.known_images import KnownImages
from firstlight.runs.demo.examples import Examples
from firstlight.tasks import Task


@dataclass(frozen=True)
class Subject:
    """A trained run as the page shows it.

    Attributes:
        task: the task with its weights, in evaluation mode, on its device.
        title: the heading, such as "mnist-lenet".
        known: the training images in a few numbers, for warnings; None if the run has none.
        examples: samples of the test split; empty if the data is not here.
        max_pixels: images with more pixels are refused.
        folder: the temporary folder of the page, which is deleted at its end.
    """

    task: Task
    title: str
    known: KnownImages | None
    examples: Examples
    max_pixels: int
    folder: Path
