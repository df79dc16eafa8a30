"""What is served: the task of a run or of an exported file, with what its inputs need."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from firstlight.files import user_path
from firstlight.runs.command_line import command
from firstlight.runs.device import pick_device
from firstlight.runs.load import load_task
from firstlight.runs.predict.images import Images
from firstlight.runs.predict.predictor import known_of
from firstlight.runs.predict.results import predict_batch
from firstlight.runs.run_folder import RunFolder
from firstlight.runs.serve.inputs import Sample, as_batch
from firstlight.runs.serve.models.exported import open_exported
from firstlight.runs.serve.models.sources import check_source
from firstlight.tasks import Task


@dataclass(frozen=True)
class Served:
    """A trained network that answers requests.

    Attributes:
        name: name of the run folder, or of the file.
        task: the task.
        images: inverts images, and warns of those that are unlike the training images; None for other samples.
        can_sample: whether it generates samples.
    """

    name: str
    task: Task
    images: Images | None = None
    can_sample: bool = False

    def rows(self, samples: Sequence[Sample]) -> list[dict[str, Any]]:
        """Return the row of each sample, see `Result.row`. Numbers that JSON does not have become None."""
        return [_finite(result.row) for result in predict_batch(self.task, as_batch(samples, self.images))]

    def example(self) -> dict[str, Any]:
        """Return the row of a sample of zeros, which also prepares the network; empty if nothing is predicted."""
        if not self.task.can_predict:
            return {}
        spec = self.task.spec
        dtype = {"images": torch.uint8, "numbers": torch.float32, "tokens": torch.int32}[spec.kind]
        return self.rows([Sample({}, torch.zeros(spec.stored_shape, dtype=dtype))])[0]


def _finite(row: dict[str, Any]) -> dict[str, Any]:
    return {key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in row.items()}


def open_served(
    run: str | Path | None,
    file: str | Path | None,
    checkpoint: str,
    accelerator: str,
    trust: bool,
    invert: str | bool = "auto",
) -> Served:
    """Return what a run or an exported file serves; the arguments are those of `serve`.

    Raises:
        ValueError: neither or both are given, they cannot be read, or the task neither predicts nor generates.
    """
    check_source(run, file)
    device = pick_device(accelerator)
    if file is not None:
        path = user_path(file, "file")
        task = open_exported(path, trust)
        return Served(path.name, task, _images(task, invert, None))
    assert run is not None
    task = load_task(run, checkpoint, device, trust)
    if not (task.can_predict or task.can_sample) or task.acts:
        raise ValueError(f"run={run}: must be a run of another task than {task.task_name}, which predicts nothing.")
    if task.spec.has_places:
        raise ValueError(
            f"run={run}: must be a run of another task than {task.task_name}, because a server returns rows, and no"
            f" {task.spec.targets}. To fix: use {command('predict')} run={run}"
        )
    return Served(RunFolder.open(run).path.name, task, _images(task, invert, run), task.can_sample)


def _images(task: Task, invert: str | bool, run: str | Path | None) -> Images | None:
    return Images(task.spec, "bilinear", invert, known_of(run)) if task.spec.kind == "images" else None
