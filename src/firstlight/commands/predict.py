"""Labels and probabilities for images, from a run folder alone, or from a network with its weights."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from firstlight.commands.check_predict import check_predict
from firstlight.commands.imagenet_groups import check_labels, verdicts
from firstlight.commands.predictions import MAX_SHOWN, in_words, is_sheet, prediction, thumbnails, write_sheet
from firstlight.data.images import find_images, refuse_decompression_bombs
from firstlight.data.read_ahead import read_ahead
from firstlight.files import atomic_write, output_file, write_csv
from firstlight.runs.load import load_run
from firstlight.runs.run_folder import RunFolder
from firstlight.tasks import Classification
from firstlight.tasks.build import build_pretrained
from firstlight.training.environment import silence_lightning


def predict(
    run: str | Path | None,
    input: str | Path,
    output: str | Path | None = None,
    checkpoint: str = "best",
    batch_size: int = 32,
    accelerator: str = "auto",
    model: dict[str, Any] | None = None,
    group: str | None = None,
) -> list[dict[str, Any]]:
    """Predict for an image, or for every image in a folder, with a trained run or a network and its weights.

    Writes a CSV with a row for each image, and for a folder a contact sheet of the first ones, a PNG of the same
    name. Prints the first rows, or the likeliest classes of a single image. Images that cannot be read are told
    and left out.

    Args:
        run: the run folder; None where `model` says who predicts.
        input: an image or a folder.
        output: path of the CSV; by default predictions.csv in the run folder, or in the working directory.
        checkpoint: `best` or `last`, of a run.
        batch_size: images that pass the network at a time.
        accelerator: `cpu`, or `auto` and `gpu` for a GPU where there is one.
        model: the node of a network's config.
        group: of ImageNet's classes, see `firstlight.commands.imagenet_groups`.

    Returns:
        The rows: `path`, `label`, `probability`, and `top_1` to `top_5` as "label=probability"; for a group its
        verdict and the probability of that, as `dog_cat` and `dog_cat_probability`.

    Raises:
        ValueError: no such run, checkpoint, weights, group or images, or none of them can be read.
    """
    silence_lightning()
    check_predict(run, model, group)
    if batch_size < 1:
        raise ValueError(f"batch_size={batch_size}: one image or more.")
    source = Path(input).expanduser()
    target = Path(output).expanduser() if output else (RunFolder(run).path if run else Path()) / "predictions.csv"
    sheet_path = target.with_suffix(".png") if source.is_dir() else None
    paths = _images(source, target, sheet_path)
    device = _device(accelerator)
    task = load_run(run, checkpoint, device) if run else build_pretrained(model or {}).to(device)
    if not isinstance(task, Classification):
        raise ValueError(
            f"run={run}: it does not classify, so there are no labels to predict (task: {task.task_name})."
        )
    spec = task.spec
    if spec.kind != "images":
        raise ValueError(f"run={run}: it was trained on {spec.kind}; predictions are for images.")
    if group:
        check_labels(group, spec.labels)
    # A run's images are read as its store was built, whatever comes after; weights know no store.
    interpolation = "bilinear" if run else spec.interpolation
    problems: list[str] = []
    rows: list[dict[str, Any]] = []
    shown: list[Tensor] = []
    with refuse_decompression_bombs(), ThreadPoolExecutor() as pool:
        for names, batch in read_ahead(pool, paths, spec.stored_shape, batch_size, problems, interpolation):
            with torch.inference_mode():
                outputs = task.network(task.preprocess(batch.to(task.device)))
                probabilities = task.class_logits(outputs).softmax(1).cpu()
            if sheet_path and len(rows) < MAX_SHOWN:
                shown.append(thumbnails(batch[: MAX_SHOWN - len(rows)]))
            rows += _rows(names, probabilities, spec.labels, group)
    for problem in problems:
        print(f"left out: {problem}")
    if not rows:
        raise ValueError(f"input={input}: none of the {len(paths)} images can be read.")
    with output_file("output", target):
        write_csv(target, rows)
        if sheet_path:
            with atomic_write(sheet_path) as file:
                write_sheet(file, shown, rows, group)
    print(in_words(rows, group))
    print(f"{len(rows):,} prediction{'s' if len(rows) > 1 else ''} in {target}")
    if sheet_path:
        print(f"contact sheet in {sheet_path}")
    return rows


def _rows(paths: list[Path], probabilities: Tensor, labels: tuple[str, ...], group: str | None) -> list[dict[str, Any]]:
    rows = [prediction(path, found, labels) for path, found in zip(paths, probabilities, strict=True)]
    if group:
        for row, (name, probability) in zip(rows, verdicts(group, probabilities), strict=True):
            row |= {group: name, f"{group}_probability": round(probability, 6)}
    return rows


def _images(source: Path, target: Path, sheet_path: Path | None) -> list[Path]:
    """The images to predict on; not the contact sheet of earlier predictions, which the new one takes the place of.

    Raises:
        ValueError: there are none, or what is written would take the place of one of them.
    """
    made_before = sheet_path.resolve() if sheet_path and is_sheet(sheet_path) else None
    paths = [path for path in find_images(source) if path.resolve() != made_before]
    if not paths:
        raise ValueError(f"input={source}: no images in this folder but the contact sheet of earlier predictions.")
    taken = {path.resolve() for path in paths}
    for path in (target, sheet_path):
        if path is not None and path.resolve() in taken:
            raise ValueError(f"output={target}: {path} is one of the images, and would be lost. Name another output.")
    if target == sheet_path:
        raise ValueError(f"output={target}: this is the name for the contact sheet; the predictions are a .csv.")
    return paths


def _device(accelerator: str) -> torch.device:
    """`cpu`, or the accelerator that is there; `auto` takes it where there is one.

    Raises:
        ValueError: there is none, or no such word.
    """
    if accelerator not in ("auto", "cpu", "gpu", "cuda", "mps"):
        raise ValueError(f"accelerator={accelerator}: auto, cpu, gpu, cuda or mps.")
    found = torch.accelerator.current_accelerator(check_available=True) if accelerator != "cpu" else None
    if accelerator not in ("auto", "cpu") and (found is None or accelerator not in ("gpu", found.type)):
        raise ValueError(f"accelerator={accelerator}: there is none in this machine that torch can use.")
    return found or torch.device("cpu")
