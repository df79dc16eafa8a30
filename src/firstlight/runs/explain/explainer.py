"""Explain what a trained run predicts, from inputs or from the test split of a table to a figure."""

import warnings
from pathlib import Path
from typing import Any, Literal

from firstlight.checks import check_range, choose
from firstlight.data import Split
from firstlight.data.images.memory import MAX_PIXELS
from firstlight.runs.device import pick_device
from firstlight.runs.evaluate import differences_from, other_data
from firstlight.runs.explain.explanation import (
    Explanation,
    of_classified_texts,
    of_images,
    of_importance,
    of_reconstructions,
    of_rows,
    of_texts,
)
from firstlight.runs.explain.importance import permutation_importance
from firstlight.runs.figures.canvas import check_output, write_figure
from firstlight.runs.load import load_task
from firstlight.runs.predict.inputs import InputBatch, Inputs
from firstlight.runs.predict.predictor import known_of, open_inputs
from firstlight.runs.predict.screen import problems_text, show, warnings_text
from firstlight.runs.run_folder import RunFolder
from firstlight.tasks import Classification, Language, Reconstruction, Regression, Task
from firstlight.tasks.build import build_source

MAX_INPUTS = 8  # images, rows or texts in one figure


def explain(
    run: str | Path,
    input: str | Path | None = None,
    output: str | Path | None = None,
    class_name: str | None = None,
    checkpoint: str = "best",
    data: dict[str, Any] | None = None,
    accelerator: str = "auto",
    invert: Literal["auto", True, False] = "auto",
    max_pixels: int = MAX_PIXELS,
    repeats: int = 5,
    seed: int = 1,
    trust: bool = False,
) -> Path:
    """Explain predictions of a run in one figure, and print the numbers.

    Images: Grad-CAM, integrated gradients and the strongest channels of each layer; of an autoencoder, the error of
    each pixel. Texts: the loss of each token, or what each token adds to a class. Tables: the permutation importance of
    each column on the test split or, for rows, what each column adds to the prediction.

    Args:
        run: the run folder.
        input: an image or a folder; a table; a text, or a file of texts. The first eight are explained. None for the
            test split of a table.
        output: path of the figure, whose suffix selects the format; by default explain.png in the run folder.
        class_name: the class or target to explain; None for the most likely class, or the first target.
        checkpoint: "best" or "last".
        data: new values for `data` in the config, such as `{"dir": ...}`, if the data has moved.
        accelerator: see `pick_device`.
        invert: see `firstlight.runs.predict.predict`.
        max_pixels: an image with more pixels is left out, because it may be a decompression bomb.
        repeats: permutations of each column.
        seed: seed of the permutations.
        trust: whether the run's config may name any class or function, see `RunFolder.config`.

    Returns:
        The path of the figure.

    Raises:
        ValueError: the run, the checkpoint, the class or the input does not exist; the input cannot be read; the task
            is none of those above; or the figure cannot be written.
    """
    folder = RunFolder.open(run)
    target = check_output(folder.path / "explain.png" if output is None else output) or folder.path
    check_range("repeats", repeats, at_least=1)
    task = load_task(run, checkpoint, pick_device(accelerator), trust)
    check_explains(task, run, class_name)
    if input is None:
        explanation = explain_split(task, folder, data, repeats=repeats, seed=seed, trust=trust)
    else:
        neighbour = folder.path / "predictions.csv"  # its contact sheet is no input
        inputs = open_inputs(input, neighbour, task.spec, "bilinear", invert, known_of(run), max_pixels, run)
        _check_target(target, inputs)
        explanation = explain_inputs(task, inputs, class_name, str(input))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)  # a box is drawn in its place
        write_figure(explanation.figure, target)
    for line in (*explanation.lines, f"figure in {target}"):
        show(line)
    return target


def check_explains(task: Task, run: str | Path | None, class_name: str | None) -> None:
    """Check that a task can be explained, and that a class or target is one of its own.

    Raises:
        ValueError: it cannot, or the class is unknown.
    """
    if not isinstance(task, Classification | Regression | Language | Reconstruction):
        raise ValueError(f"run={run}: must be a run of another task than {task.task_name}, which cannot be explained.")
    if class_name is None:
        return
    if not isinstance(task, Classification | Regression):
        raise ValueError(f"class={class_name}: must be null with task={task.task_name}, which has no classes.")
    choose("class", class_name, task.spec.labels, "class" if task.spec.targets == "classes" else "target")


def explain_inputs(task: Task, inputs: Inputs, class_name: str | None, source: str) -> Explanation:
    """Explain the first inputs, at most eight.

    Args:
        task: the task.
        inputs: the inputs.
        class_name: the class or target to explain; None for the most likely class, or the first target.
        source: where the inputs come from, for messages.

    Raises:
        ValueError: no input can be read.
    """
    batch = next((_readable(batch) for batch in inputs.batches(MAX_INPUTS)), None)
    lines = problems_text(inputs.problems)
    if batch is None or not batch.raw.numel():
        unit = "an image" if inputs.unit == "image" else f"a {inputs.unit}"
        raise ValueError("\n".join([f"input={source}: must contain {unit} that can be read.", *lines[:5]]))
    chosen = None if class_name is None else task.spec.labels.index(class_name)
    if isinstance(task, Language):
        explanation = of_texts(task, batch)
    elif isinstance(task, Reconstruction):
        explanation = of_reconstructions(task, batch)
    elif task.spec.kind == "tokens" and isinstance(task, Classification):
        explanation = of_classified_texts(task, batch, chosen)
    else:
        explanation = of_rows(task, batch, chosen) if task.spec.kind == "numbers" else of_images(task, batch, chosen)
    warned = [(names, text) for names, texts in zip(batch.names, batch.warnings, strict=True) for text in texts]
    lines = [*lines, *explanation.lines, *warnings_text(warned, len(batch.names))]
    if len(inputs) > MAX_INPUTS:
        lines.append(f"the first {len(batch.names)} of {len(inputs):,} {inputs.unit}s are explained")
    return explanation._replace(lines=lines)


def explain_split(
    task: Task,
    folder: RunFolder,
    data: dict[str, Any] | None = None,
    *,
    repeats: int = 5,
    seed: int = 1,
    trust: bool = False,
) -> Explanation:
    """Explain which columns of a table matter, on the test split of the run.

    Args:
        task: the task of the run.
        folder: the run.
        data: see `explain`.
        repeats: permutations of each column.
        seed: seed of the permutations.
        trust: see `explain`.

    Raises:
        ValueError: the run has no table, or its data has gone or has changed.
    """
    if task.spec.kind != "numbers":
        what = "an image, or a folder of images" if task.spec.kind == "images" else "a text, or a file of lines"
        raise ValueError(f"input: must be {what}, because the network was trained on {task.spec.kind}.")
    config = folder.config(trust).with_data(**data or {})
    store, splits = build_source(config).splits(config.seed)
    differs = differences_from(folder, store, splits)
    if differs:
        raise other_data(folder, config, differs)
    test: Split = splits["test"]
    return of_importance(*permutation_importance(task, test, repeats=repeats, seed=seed, precision=config.precision))


def _readable(batch: InputBatch) -> InputBatch:
    """Return a batch without the rows that cannot be read."""
    if not any(batch.unread):
        return batch
    kept = [place for place, why in enumerate(batch.unread) if not why]
    names, texts = [batch.names[place] for place in kept], [batch.warnings[place] for place in kept]
    return InputBatch(names, batch.raw[kept], texts, texts=[batch.texts[place] for place in kept if batch.texts])


def _check_target(target: Path, inputs: Inputs) -> None:
    """Check that the figure does not replace an input.

    Raises:
        ValueError: it would.
    """
    if target.resolve() in {path.resolve() for path in getattr(inputs, "paths", [])}:
        raise ValueError(f"output={target}: must be another file, because it would replace an input.")
