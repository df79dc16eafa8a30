"""Show how a data set was understood: its samples before and after augmentation, without any training."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from hydra.utils import get_class
from PIL import Image
from torch import Tensor, nn

from firstlight.checks import check_range
from firstlight.config import RunConfig
from firstlight.data import Source, Split, Store
from firstlight.data.images.contact_sheet import check_format, contact_sheet, write_image
from firstlight.data.images.overlay import with_places
from firstlight.data.tokens import decode
from firstlight.files import output_file, user_path
from firstlight.log import aligned
from firstlight.randomness import derive, generator, reseed
from firstlight.runs.figures.filtered import filtered_image
from firstlight.spec import DataSpec
from firstlight.tasks import Batch, Task
from firstlight.tasks.build import build_augment, build_source, build_task
from firstlight.tasks.metrics.meters import Meter

_MAX_COLUMNS = 10  # columns of a table on the screen
_MAX_CELL = 16  # characters of a cell
_MAX_TOKENS = 16
_MAX_TEXT = 500  # characters of a text


def preview(config: RunConfig, output: str, samples: int = 8, versions: int = 7, steps: bool = False) -> None:
    """Print how the files of a data set were understood, and show samples as they are and as a network sees them.

    Images are written to an image file in which each row shows a sample and augmented versions of it. Texts are printed
    as text, tokens and numbers; tables as their first rows. Nothing is trained.

    Args:
        config: the config of a training run.
        output: path of the image; its suffix selects the format.
        samples: number of samples; those of images and texts are drawn from the training split with the run's seed.
        versions: number of augmented versions of each image.
        steps: whether each row shows all samples after one step of the augmentation instead, with the step's name.

    The filtered images of `model=conv_filters` are written beside the image, to a file that ends in `_filtered`.

    Raises:
        ValueError: the config is wrong, there are no steps, or the image cannot be written.
    """
    check_range("preview.samples", samples, at_least=1)
    check_range("preview.versions", versions, at_least=1)
    target = user_path(output, "preview.output")
    source = build_source(config)
    store, splits = source.splits(config.seed)
    print("\n".join(store.remarks))
    if store.spec.kind == "images":
        check_format("preview.output", target)
    task = build_shown(config, store.spec)
    if steps and not (task.augment.has_steps and store.spec.kind == "images"):
        raise ValueError("preview.steps=true: must be used with images and steps of the augmentation: augment=light.")
    if store.spec.kind == "tokens":
        return print(_texts(task, source, splits["train"], config.seed, samples))
    if store.spec.kind == "numbers":
        return print(_rows(task, source, store, samples))
    chosen = splits["train"].take(_choose(splits["train"], config.seed, samples))
    if steps:
        sheet, says = steps_sheet(config, store.spec, *chosen), "a row for each step of the augmentation"
    else:
        sheet = augmentation_sheet(task, splits["train"], config.seed, samples, versions)
        says = "samples on the left, augmented versions to the right"
    _write(target, sheet, says)
    filtered = None if isinstance(task, Unpredicted) else filtered_image(task, chosen[0])
    if filtered is not None:
        _write(target.with_stem(f"{target.stem}_filtered"), filtered, "filtered images")
    return None


def _write(path: Path, sheet: Image.Image, says: str) -> None:
    with output_file("preview.output", path):
        write_image(path, sheet)
    print(f"{says}: {path}")


class Unpredicted(Task):
    """Data whose targets the task of the config does not predict: only their augmentation is shown.

    The arguments are those of `Task`.
    """

    def new_meter(self) -> Meter:
        raise NotImplementedError

    def batch_loss(self, batch: Batch, meter: Any) -> Tensor:
        raise NotImplementedError


def build_shown(config: RunConfig, spec: DataSpec) -> Task:
    """Return the task of a config, or `Unpredicted`, so that masks and boxes are shown whatever the task."""
    kind = getattr(get_class(str(config.task["_target_"])), "target_kind", "anything")
    if spec.target_type and kind != spec.targets:
        return Unpredicted(spec, nn.Linear(1, 1), build_augment(config, spec, 1, with_steps=True))
    return build_task(_with_classifier(config), spec)


def _with_classifier(config: RunConfig) -> RunConfig:
    """Return the config with a network that could learn: without a classifier, filtered images are the same."""
    return replace(config, model=config.model | {"classifier": True}) if "classifier" in config.model else config


def steps_sheet(config: RunConfig, spec: DataSpec, raw: Tensor, targets: Tensor) -> Image.Image:
    """Return an image with a row of samples as they are, a row for each step alone, and a row for all steps.

    Args:
        config: the config of a run with steps of the augmentation.
        spec: the data.
        raw: raw images (samples, channels, height, width).
        targets: their targets.
    """
    names = [name for name, step in config.augment.items() if isinstance(step, dict)]
    rows = {"original": [], **{name: [name] for name in names}, "all steps": names}
    images, captions = [], []
    for caption, kept in rows.items():
        augment = {key: value for key, value in config.augment.items() if not isinstance(value, dict) or key in kept}
        task = build_shown(replace(config, augment=augment | {"views": 0}), spec)
        reseed(derive(config.seed, "preview"), task.device)
        images.append(_shown_images(task, task.augment(raw, targets)))
        captions += [caption, *[""] * (len(raw) - 1)]
    return contact_sheet(torch.cat(images), captions, columns=len(raw))


def augmentation_sheet(task: Task, split: Split, seed: int, samples: int = 8, versions: int = 7) -> Image.Image:
    """Return the image that `preview` writes.

    Args:
        task: the task, with its augmentation.
        split: the split that the samples are drawn from.
        seed: the seed of the random draws.
        samples: number of rows.
        versions: number of augmented versions in each row.
    """
    raw, targets = split.take(_choose(split, seed, samples))
    raw, targets = raw.to(task.device), targets.to(task.device)
    reseed(derive(seed, "preview"), task.device)
    originals = task.augment.plain(raw, targets)
    batches = [originals, *(task.augment(raw, targets) for _ in range(versions))]
    images = torch.stack([_shown_images(task, batch) for batch in batches], 1).flatten(0, 1)
    captions = [_captions(made, task.spec) for _, made in batches]
    return contact_sheet(images, [name for row in zip(*captions, strict=True) for name in row], columns=versions + 1)


def _choose(split: Split, seed: int, samples: int) -> Tensor:
    order = torch.randperm(len(split), generator=generator(seed, "preview"))
    return order[:samples].to(split.targets.device)


def _shown_images(task: Task, batch: Batch) -> Tensor:
    """Return the images of a prepared batch, from 0 to 1, with their masks or boxes."""
    inputs, targets = batch
    return with_places(task.preprocess.to_pixels(inputs), targets, task.spec)


def _captions(targets: Tensor, spec: DataSpec) -> list[str]:
    """Return a caption for each sample: its class, classes of its mask, or labels; boxes have their own."""
    if spec.targets == "boxes":
        return [""] * len(targets)
    if spec.targets == "masks":
        found = [mask.unique().tolist() for mask in targets]
        return ["\n".join(spec.labels[number] for number in row if 0 < number < spec.num_outputs) for row in found]
    if spec.targets == "labels":
        rows = [target.nonzero()[:, 0].tolist() for target in targets]
        return ["\n".join(spec.labels[number] for number in row) for row in rows]
    return [_caption(target, spec.labels) for target in targets]


def _caption(target: Tensor, labels: tuple[str, ...]) -> str:
    """Return the class, the two largest classes of a mixture with their fractions, or the target numbers."""
    if target.ndim == 0:
        return labels[int(target)]
    if len(target) != len(labels) or len(labels) == 1:
        return " ".join(f"{value:g}" for value in target.tolist())
    top = target.topk(2)
    pairs = [(labels[index], value) for value, index in zip(top.values.tolist(), top.indices.tolist(), strict=True)]
    return "\n".join(f"{label} {value:.0%}" for label, value in pairs if value > 0.005)


def _texts(task: Task, source: Source, split: Split, seed: int, samples: int) -> str:
    """Return samples as text, tokens, numbers and text again, and as text after the augmentation."""
    chosen = _choose(split, seed, samples)
    raw, targets = split.take(chosen)
    reseed(derive(seed, "preview"), task.device)
    changed, _ = task.augment(raw, targets)
    vocabulary, lines = task.spec.tokens, []
    back = [decode(numbers, vocabulary) for numbers in raw.tolist()]
    rows = chosen if split.indices is None else split.indices[chosen]
    originals = source.original_texts(rows) or back
    for number, window in enumerate(raw.tolist()):
        known = [index for index in window if index >= 0]
        lines += ["", f"text       {_shown(originals[number])}"]
        lines += [f"tokens     {_start([repr(vocabulary[index]) for index in known])}"]
        lines += [f"numbers    {_start([str(index) for index in known])}"]
        lines += [f"and back   {_shown(back[number])}"]
        if task.augment.has_steps:
            lines += [f"augmented  {_shown(decode(changed[number].tolist(), vocabulary))}"]
        if task.spec.targets == "classes":
            lines += [f"class      {_caption(targets[number], task.spec.labels)}"]
    return "\n".join(lines)


def _shown(text: str) -> str:
    rest = f" … ({len(text):,} characters in all)" if len(text) > _MAX_TEXT else ""
    return f"{text[:_MAX_TEXT]!r}{rest}"


def _rows(task: Task, source: Source, store: Store, samples: int) -> str:
    """Return the first rows of a table, as they stand in its file, if it has one, and as the network sees them."""
    whole = store.stored["train"]
    inputs, targets = whole.take(torch.arange(min(samples, len(whole))))
    seen = task.preprocess(inputs)
    names = [f"input {number}" for number in range(1, 1 + seen.shape[1])]
    columns = [name for column in store.spec.columns for name in column.input_names] or names
    numbers = [[f"{value:.4g}" for value in row] for row in seen.tolist()]
    goals = [[_caption(target, store.spec.labels)] for target in targets]
    table = [[*columns, "-> target"], *([*row, *goal] for row, goal in zip(numbers, goals, strict=True))]
    raw = source.first_rows(samples) or [columns, *([f"{value:.4g}" for value in row] for row in inputs.tolist())]
    return "\n".join(
        [
            "",
            "first rows",
            _row_lines(raw),
            "",
            "the same rows as the network sees them",
            _row_lines(table),
        ]
    )


def _row_lines(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of cells as lines; of a wide table, the first and the last columns."""
    if len(rows[0]) > _MAX_COLUMNS:
        rows = [[*row[: _MAX_COLUMNS - 2], "…", row[-1]] for row in rows]
    return aligned([[_short(cell) for cell in row] for row in rows])


def _short(cell: str) -> str:
    cell = " ".join(cell.split())
    return cell if len(cell) <= _MAX_CELL else f"{cell[: _MAX_CELL - 1]}…"


def _start(items: Sequence[str]) -> str:
    return " ".join(items[:_MAX_TOKENS]) + (f" … ({len(items):,} in all)" if len(items) > _MAX_TOKENS else "")
