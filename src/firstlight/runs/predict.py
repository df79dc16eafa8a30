"""Predict the classes of images, with the network of a run or with pretrained weights."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from firstlight.checks import check_range
from firstlight.data.images import find_images, refuse_decompression_bombs
from firstlight.data.read_ahead import read_ahead
from firstlight.files import atomic_write, output_file, user_path, write_csv
from firstlight.runs.device import pick_device
from firstlight.runs.load import load_pretrained, load_run
from firstlight.runs.predictions import MAX_SHOWN, is_sheet, prediction, predictions_table, thumbnails, write_sheet
from firstlight.runs.run_folder import RunFolder
from firstlight.tasks import Classification
from firstlight.transfer.imagenet_groups import check_group, check_labels, verdicts


def predict(
    run: str | Path | None,
    input: str | Path,
    output: str | Path | None = None,
    checkpoint: str = "best",
    batch_size: int = 32,
    accelerator: str = "auto",
    model: dict[str, Any] | None = None,
    group: str | None = None,
    trust: bool = False,
) -> list[dict[str, Any]]:
    """Predict the class of an image, or of every image in a folder.

    Writes a CSV file with a row for each image. For a folder, also writes a contact sheet of the first images, a PNG
    file of the same name. Prints the first rows, or the five most likely classes of a single image. Images that cannot
    be read are reported and left out.

    Args:
        run: the run folder; None if `model` is given.
        input: an image or a folder.
        output: path of the CSV file; by default predictions.csv in the run folder, or in the working directory.
        checkpoint: "best" or "last" of the run.
        batch_size: images that pass through the network at a time.
        accelerator: see `pick_device`.
        model: the node of a network with pretrained weights; None if `run` is given.
        group: a group of ImageNet's classes, see `transfer.imagenet_groups`.
        trust: whether the run's config may name any class or function, see `RunFolder.config`.

    Returns:
        The rows: `path`, `label`, `probability`, and `top_1` to `top_5` as "label=probability". With a group, also its
        verdict and the probability of the verdict, for example `dog_cat` and `dog_cat_probability`.

    Raises:
        ValueError: the run, the checkpoint, the weights, the group or the images do not exist; the network does not
            classify images; no image can be read; or an output file would replace an image.
    """
    if (run is None) == (model is None):
        raise ValueError("run: must be set if model is None, and None otherwise.")
    check_range("batch_size", batch_size, at_least=1)
    if group is not None:
        check_group(group)
    source, target = user_path(input), user_path(output or _default_output(run))
    sheet_path = target.with_suffix(".png") if source.is_dir() else None
    paths = _find_inputs(source, target, sheet_path)
    device = pick_device(accelerator)
    task = load_run(run, checkpoint, device, trust) if run else load_pretrained(model or {}).to(device)
    task = _check_task(task, run, group)
    # Images are resized as in training. Data sets use bilinear interpolation; pretrained weights name theirs.
    interpolation = "bilinear" if run else task.spec.interpolation
    problems: list[str] = []
    rows: list[dict[str, Any]] = []
    shown: list[Tensor] = []
    for names, batch, probabilities in _batches(task, paths, batch_size, interpolation, problems):
        if sheet_path and len(rows) < MAX_SHOWN:
            shown.append(thumbnails(batch[: MAX_SHOWN - len(rows)]))
        rows += _rows(names, probabilities, task.spec.labels, group)
    for problem in problems:
        print(f"left out: {problem}")
    if not rows:
        raise ValueError(f"input={input}: must contain an image that can be read; none of its {len(paths):,} can.")
    _write(target, sheet_path, rows, shown, group)
    return rows


def _default_output(run: str | Path | None) -> Path:
    return (RunFolder.open(run).path if run else Path()) / "predictions.csv"


def _find_inputs(source: Path, target: Path, sheet_path: Path | None) -> list[Path]:
    """Return the images to predict, without the contact sheet of earlier predictions, which will be replaced.

    Raises:
        ValueError: there are no images, or an output file would replace one of them.
    """
    old_sheet = sheet_path.resolve() if sheet_path and is_sheet(sheet_path) else None
    paths = [path for path in find_images(source) if path.resolve() != old_sheet]
    if not paths:
        raise ValueError(f"input={source}: must contain images other than the contact sheet of earlier predictions.")
    inputs = {path.resolve() for path in paths}
    for path in (target, sheet_path):
        if path is not None and path.resolve() in inputs:
            raise ValueError(f"output={target}: must be another file, because it would replace the image {path}.")
    if target == sheet_path:
        raise ValueError(f"output={target}: must be a .csv file. The contact sheet is written beside it as .png.")
    return paths


def _check_task(task: Any, run: str | Path | None, group: str | None) -> Classification:
    """Check that the network classifies images, and that it predicts the classes of ImageNet if a group is given."""
    if not isinstance(task, Classification):
        raise ValueError(f"run={run}: must be a run with task=classification, and this one has task={task.task_name}.")
    if task.spec.kind != "images":
        raise ValueError(f"run={run}: must be a run on images, and this one is on {task.spec.kind}.")
    if group:
        check_labels(group, task.spec.labels)
    return task


def _batches(
    task: Classification, paths: list[Path], batch_size: int, interpolation: str, problems: list[str]
) -> Iterator[tuple[list[Path], Tensor, Tensor]]:
    """Yield paths, raw images and class probabilities (batch, classes). Adds unreadable images to `problems`."""
    shape = task.spec.stored_shape
    with refuse_decompression_bombs(), ThreadPoolExecutor() as pool:
        for names, batch in read_ahead(pool, paths, shape, batch_size, problems, interpolation, task.spec.fit):
            with torch.inference_mode():
                outputs = task.network(task.preprocess(batch.to(task.device)))
                yield names, batch, task.class_logits(outputs).softmax(1).cpu()


def _rows(paths: list[Path], probabilities: Tensor, labels: tuple[str, ...], group: str | None) -> list[dict[str, Any]]:
    rows = [prediction(path, found, labels) for path, found in zip(paths, probabilities, strict=True)]
    if group:
        for row, (name, probability) in zip(rows, verdicts(group, probabilities), strict=True):
            row |= {group: name, f"{group}_probability": round(probability, 6)}
    return rows


def _write(
    target: Path, sheet_path: Path | None, rows: list[dict[str, Any]], shown: list[Tensor], group: str | None
) -> None:
    """Write the CSV file and the contact sheet, and print the first rows."""
    with output_file("output", target):
        write_csv(target, rows)
        if sheet_path:
            with atomic_write(sheet_path) as file:
                write_sheet(file, shown, rows, group)
    print(predictions_table(rows, group))
    print(f"{len(rows):,} prediction{'s' if len(rows) > 1 else ''} in {target}")
    if sheet_path:
        print(f"contact sheet in {sheet_path}")
