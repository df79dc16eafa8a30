"""Predict with a trained network: from files to a CSV file, whatever the kind of data and the task."""

from pathlib import Path
from typing import Any, Literal

from firstlight.checks import check_range
from firstlight.data.images.known_images import KnownImages
from firstlight.data.images.memory import MAX_PIXELS
from firstlight.files import output_file, user_path
from firstlight.log import aligned, progress_bar
from firstlight.runs.command_line import command
from firstlight.runs.device import pick_device
from firstlight.runs.load import load_pretrained, load_task
from firstlight.runs.predict.images import INVERT, ImageInputs
from firstlight.runs.predict.inputs import InputBatch, Inputs
from firstlight.runs.predict.masks import MaskFiles
from firstlight.runs.predict.memory import open_memory
from firstlight.runs.predict.objects.coco import results_path, write_results
from firstlight.runs.predict.results import UNREAD, predict_batch
from firstlight.runs.predict.rows_file import naming_earlier, rows_file
from firstlight.runs.predict.screen import (
    MAX_ROWS,
    name_of,
    predictions_table,
    problems_text,
    show,
    warnings_text,
)
from firstlight.runs.predict.sheet import Sheet
from firstlight.runs.predict.steps import check_steps, steps_text
from firstlight.runs.predict.tables import TableInputs
from firstlight.runs.predict.texts import TextInputs
from firstlight.runs.run_folder import RunFolder
from firstlight.spec import DataSpec
from firstlight.tasks import Segmentation, Task
from firstlight.transfer.imagenet_groups import check_group


def predict(
    run: str | Path | None,
    input: str | Path,
    output: str | Path | None = None,
    checkpoint: str = "best",
    batch_size: int = 32,
    accelerator: str = "auto",
    model: dict[str, Any] | None = None,
    group: str | None = None,
    invert: Literal["auto", True, False] = "auto",
    trust: bool = False,
    max_pixels: int = MAX_PIXELS,
    steps: bool = False,
    masks: str | Path | None = None,
    overlays: str | Path | None = None,
    threshold: float | None = None,
) -> list[dict[str, Any]]:
    """Predict images, the rows of a table, or texts, whichever the network was trained on.

    Writes a CSV file with a row for each input. For a folder of images, also writes a contact sheet of the first ones,
    a PNG file of the same name. Prints the first rows, or the details of a single one. Images that cannot be read are
    reported and left out.

    If the prediction is interrupted or fails, the rows so far are kept beside the CSV file, in a file that is named.

    Args:
        run: the run folder; None if `model` is given.
        input: an image or a folder; a table; a file of texts, see `TextInputs.read`, or a text itself.
        output: path of the CSV file; by default predictions.csv in the run folder, or in the working directory.
        checkpoint: "best" or "last" of the run.
        batch_size: inputs that pass through the network at a time.
        accelerator: see `pick_device`.
        model: the node of a network with pretrained weights; None if `run` is given.
        group: a group of ImageNet's classes, see `transfer.imagenet_groups`.
        invert: "auto" inverts images of a light ground if the training images have a dark one, or the reverse; True
            inverts all images, False none.
        trust: whether the run's config may name any class or function, see `RunFolder.config`.
        max_pixels: an image with more pixels is left out, because it may be a decompression bomb.
        steps: whether to print what happens to the first image, with the shape after each step.
        masks: folder for the mask of each image, for a segmentation, see `MaskFiles`; None to write none.
        overlays: folder for each image under its mask; None to write none.
        threshold: replaces the threshold of the task: the probability from which on an object is listed, a label given
            or the second of two classes predicted, or the error above which an image is an anomaly; None keeps it.

    Returns:
        The rows. The first columns name the input: `path`, `row`, or `line` and `text`. The last, `warning`, is empty
        or says why the prediction may be wrong. Those between are the task's, see `Task.predict_rows`: for
        classification `label`, `probability`, and `top_1` to `top_5` as "label=probability"; with a group, also its
        verdict. Boxes are in pixels of the image as it is shown, and also in a JSON file, see `objects.coco`.

    Raises:
        ValueError: the run, the checkpoint, the weights, the group or the input do not exist; the task does not
            predict, or has no threshold; nothing can be read; or an output file would replace an image.
    """
    if (run is None) == (model is None):
        raise ValueError("run: must be set if model is None, and None otherwise.")
    check_range("batch_size", batch_size, at_least=1)
    check_range("predict.max_pixels", max_pixels, at_least=1)
    if invert not in INVERT:
        raise ValueError(f"predict.invert={invert}: must be auto, true or false.")
    if group is not None:
        check_group(group)
    mask_files = MaskFiles(masks, overlays)
    target = user_path(_default_output(run) if output is None else output, "output")
    with naming_earlier(target):
        device = pick_device(accelerator)
        task = load_task(run, checkpoint, device, trust) if run else load_pretrained(model or {}).to(device)
        check_predicts(task, run)
        mask_files.check_task(task)
        if group is not None:
            task.use_group(group)
        if threshold is not None:
            task.use_threshold(threshold)
        # Images are resized as in training. Data sets use bilinear interpolation; pretrained weights name theirs.
        interpolation = "bilinear" if run else task.spec.interpolation
        if steps:
            check_steps(task)
        inputs = open_inputs(input, target, task.spec, interpolation, invert, known_of(run), max_pixels, run)
        mask_files.check_inputs(inputs, user_path(input, "input"))
        rows = _Prediction(task, inputs, target, mask_files).run(batch_size, str(input))
        if steps:
            show(f"\nthe first image, step by step\n{steps_text(task, inputs, rows[0]['path'])}")
        return rows


def check_predicts(task: Task, run: str | Path | None) -> None:
    """Check that a task predicts.

    Raises:
        ValueError: it does not.
    """
    if not task.can_predict:
        fix = f" To fix: use {command('sample')} run={run}" if task.can_sample else ""
        raise ValueError(
            f"run={run}: must be a run of another task than {task.task_name}, which predicts nothing.{fix}"
        )


def _default_output(run: str | Path | None) -> Path:
    return (RunFolder.open(run).path if run else Path()) / "predictions.csv"


def known_of(run: str | Path | None) -> KnownImages | None:
    """Return the training images of a run; None if there are none, as in a run that was stopped early."""
    path = RunFolder.open(run).images_path if run else None
    return KnownImages.read(path) if path is not None and path.is_file() else None


def open_inputs(
    source: Any,
    target: Path,
    spec: DataSpec,
    interpolation: str,
    invert: str | bool,
    known: KnownImages | None,
    max_pixels: int = MAX_PIXELS,
    run: str | Path | None = None,
) -> Inputs:
    """Return the inputs of the kind that the network was trained on.

    Args:
        source: a path or a text, see `predict`, or objects in memory, see `open_memory`.
        target: the CSV file of the predictions.
        spec: the data that the network was trained on.
        interpolation: how images are resized.
        invert: see `predict`.
        known: the training images, see `Images`.
        max_pixels: see `predict`.
        run: the run folder, whose config says how files of texts are read, see `TextInputs.read`; None for no run.

    Raises:
        ValueError: there are none, they are of another kind, or an option does not fit the kind.
    """
    if invert not in INVERT:
        raise ValueError(f"predict.invert={invert}: must be auto, true or false.")
    if invert is True and spec.kind != "images":
        raise ValueError(f"predict.invert=true: must be auto or false, because {spec.kind} have no ground.")
    options = interpolation, invert, known, max_pixels
    if not isinstance(source, str | Path):
        return open_memory(source, spec, *options)
    if spec.kind == "images":
        return ImageInputs(user_path(source, "input"), target, spec, *options)
    if spec.kind == "tokens":
        return TextInputs.read(str(source), spec, run)
    return TableInputs.read(user_path(source, "input"), spec)


class _Prediction:
    """The way of the inputs through the network, and its results so far."""

    def __init__(self, task: Task, inputs: Inputs, target: Path, mask_files: MaskFiles) -> None:
        self.task = task
        self.inputs = inputs
        self.target = target
        self.mask_files = mask_files
        self.results_path = results_path(target) if task.predicts_boxes else None
        self.sheet = Sheet()
        self.rows: list[dict[str, Any]] = []
        self.num_predicted = 0
        self.warnings: list[tuple[dict[str, Any], str]] = []
        self.shown: list[tuple[str, ...]] = []  # the first rows, as the table on the screen shows them
        self.details: list[tuple[str, ...]] = []  # of the first row

    def run(self, batch_size: int, source: str) -> list[dict[str, Any]]:
        """Predict all inputs, write the files, print the results, and return the rows."""
        inputs = self.inputs
        with rows_file(self.target) as file, self._progress() as bar:
            for batch in inputs.batches(batch_size):
                file.add(self._predict(batch))
                bar.update(len(self.rows) + len(inputs.problems) - bar.n)
            if not self.num_predicted:
                self._raise_empty(source)
        if inputs.sheet_path:
            with output_file("output", inputs.sheet_path):
                self.sheet.write(inputs.sheet_path)
        if self.results_path:
            with output_file("output", self.results_path):
                write_results(self.results_path, self.rows, self.task.spec.labels)
        self._print()
        return self.rows

    def _progress(self) -> Any:
        """Return a progress bar on a terminal, for inputs that take long enough to need one."""
        return progress_bar(len(self.inputs), "predicting", self.inputs.unit)

    def _predict(self, batch: InputBatch) -> list[dict[str, Any]]:
        """Return the rows of a batch."""
        results = predict_batch(self.task, batch)
        for result in results:
            self.num_predicted += not result.problem
            self.warnings += [(result.names, warning) for warning in result.warnings]
            if len(self.shown) < MAX_ROWS:
                cells = self.task.cells(result.found)
                self.details = self.details or ([] if result.problem else self.task.details(result.found))
                self.shown.append(
                    (*name_of(result.names), *((UNREAD, *[""] * (len(cells) - 1)) if result.problem else cells))
                )
        if self.inputs.sheet_path and not self.sheet.is_full:
            example = self.task.example_output(batch.raw.to(self.task.device))
            images = None if example is None or isinstance(example, str) else example.cpu()
            self.sheet.add(batch.raw, [self.task.cells(result.found) for result in results], images)
        if self.mask_files and isinstance(self.inputs, ImageInputs) and isinstance(self.task, Segmentation):
            for result in results:
                self.mask_files.write(self.task, self.inputs, Path(result.names["path"]))
        rows = [result.row for result in results]
        self.rows += rows
        return rows

    def _raise_empty(self, source: str) -> None:
        """Raise the error for inputs of which none can be read."""
        for line in problems_text(self.inputs.problems):
            show(line)
        unit, number = self.inputs.unit, len(self.inputs)
        why = f"; none of its {number:,} can" if number else ""
        article = "an" if unit == "image" else "a"
        raise ValueError(f"input={source}: must contain {article} {unit} that can be read{why}.")

    def _print(self) -> None:
        """Print the problems, the first rows, the warnings, and the paths of the files."""
        rows, sheet_path = self.rows, self.inputs.sheet_path
        number = len(rows)
        for line in problems_text(self.inputs.problems):
            show(line)
        show(aligned(self.details) if number == 1 else predictions_table(self.shown, number))
        for line in warnings_text(self.warnings, number):
            show(line)
        temperature = getattr(self.task, "temperature", 1.0)
        if temperature != 1:
            show(f"probabilities are calibrated with the temperature {temperature:.4g} of calibration.json")
        predicted = f"{self.num_predicted:,} prediction{'' if self.num_predicted == 1 else 's'}"
        without = f" for {number:,} {self.inputs.unit}s" if number > self.num_predicted else ""
        show(f"{predicted}{without} in {self.target}")
        if self.results_path:
            show(f"boxes in the format of COCO in {self.results_path}")
        if sheet_path:
            show(f"contact sheet in {sheet_path}")
        for key, folder in self.mask_files.folders.items():
            show(f"{key} in {folder}")
