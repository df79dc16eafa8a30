"""Evaluate a finished run, from its folder and the data, or on other labelled data. Lightning is not imported."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from firstlight.checks import choose
from firstlight.config import RunConfig
from firstlight.data import BatchLoader, Split, Store
from firstlight.data.images.class_folders import ClassFolders
from firstlight.data.images.memory import MAX_PIXELS
from firstlight.data.record import DataRecord, differences
from firstlight.data.relabel import relabelled
from firstlight.files import user_path
from firstlight.runs.device import mixed_precision, pick_device
from firstlight.runs.load import load_task
from firstlight.runs.run_folder import RunFolder
from firstlight.runs.summary import SPLITS, metrics_table
from firstlight.tasks import Task
from firstlight.tasks.build import build_source

Batches = Iterable[tuple[Tensor, Tensor]]
_MAX_REMARKS = 10  # lines that say how other data was read
OTHER = "other"  # the name of other data in the metrics, in the place of a split


def evaluate(
    run: str | Path,
    split: str = "test",
    checkpoint: str = "best",
    data: dict[str, Any] | None = None,
    accelerator: str = "auto",
    input: str | Path | None = None,
    trust: bool = False,
) -> dict[str, float]:
    """Evaluate a checkpoint of a run as training does at its end, and print the metrics.

    Other labelled data is evaluated too, if `data` or `input` names it: its samples are preprocessed as in training,
    and the report says that it is other data. No file of the run changes.

    Args:
        run: the run folder.
        split: "test", or "val": the part of the training samples that the run held out.
        checkpoint: "best" or "last".
        data: new values for `data` in the config, such as `{"dir": ...}`; see `RunConfig.with_data`. If the data there
            is not the run's, its split of this name is evaluated as other data.
        accelerator: see `pick_device`.
        input: other labelled data, all of which is evaluated: a folder with a folder of images for each class, a table,
            or a text.
        trust: whether the run's config may name any class or function, see `RunFolder.config`.

    Returns:
        The metrics `<split>/<name>`, or `other/<name>` for other data.

    Raises:
        ValueError: the run, the checkpoint or the split does not exist; the data is not the run's, and neither `data`
            nor `input` names other data; or other data has unknown classes.
    """
    choose("split", split, ("test", "val"), "split")
    folder = RunFolder.open(run)
    folder.existing_checkpoint(checkpoint)  # reports a wrong name before the data is read
    config = folder.config(trust).with_data(**data or {})
    if input is not None:
        path = user_path(input, "input")
        _check_input(path, folder.spec().kind)
        return _evaluate_other(load_task(run, checkpoint, pick_device(accelerator), trust), config, path)
    source = build_source(config)
    store, splits = source.splits(config.seed)
    differs = differences_from(folder, store, splits)
    if differs and not {"dir", "file"} & {key for key, value in (data or {}).items() if value}:
        raise other_data(folder, config, differs)
    task = load_task(run, checkpoint, pick_device(accelerator), trust)
    chosen = relabelled(splits[split], store.spec, task.spec) if differs else splits[split]
    loader = BatchLoader(chosen, source.batch_size, device=task.device)
    if differs:
        print("\n".join([f"other data than the run's: {source.dir}", *(f"- {line}" for line in differs)]))
        return _report(task, loader, config, OTHER)
    return _report(task, loader, config, split)


def differences_from(folder: RunFolder, store: Store, splits: Mapping[str, Split]) -> list[str]:
    """Return how data differs from the data that a run was trained on, see `data.record.differences`."""
    before = folder.spec(), DataRecord.read(folder.record_path)
    return differences(before, (store.spec, DataRecord.of(store, splits)))


def other_data(folder: RunFolder, config: RunConfig, differs: list[str]) -> ValueError:
    """Return the error for data that is not the run's."""
    key = "file" if config.data.get("file") else "dir"
    lines = "\n".join(f"- {line}" for line in differs)
    return ValueError(
        f"data.{key}={config.data[key]}: must hold the data on which the run {folder.path} was trained. It differs:\n"
        f"{lines}\nTo fix: restore the data, or name its place with data.{key}="
    )


def _evaluate_other(task: Task, config: RunConfig, path: Path) -> dict[str, float]:
    """Evaluate all samples of a file, or of a folder with a folder of images for each class."""
    spec = task.spec
    batch_size = config.data.get("batch_size", 32)
    read_together = 32 if batch_size == "all" else batch_size
    print(f"other data than the run's: {path}")
    if spec.kind == "images":
        images = ClassFolders(path, spec, read_together, config.data.get("max_pixels", MAX_PIXELS))
        found = _report(task, images, config, OTHER)
        for problem in images.problems:
            print(f"left out: {problem}")
        return found
    source = build_source(config.with_data(file=str(path)))
    samples = source.read_all(spec)
    for remark in source.remarks[:_MAX_REMARKS]:
        print(remark)
    if len(source.remarks) > _MAX_REMARKS:
        print(f"and {len(source.remarks) - _MAX_REMARKS:,} more lines of this kind")
    return _report(task, BatchLoader(samples, batch_size, device=task.device), config, OTHER)


def _check_input(path: Path, kind: str) -> None:
    """Check that the path fits to the samples of the run.

    Raises:
        ValueError: it is not a folder, for images, or not a file, for tables and texts.
    """
    if kind == "images" and not path.is_dir():
        raise ValueError(f"input={path}: must be an existing folder with a folder of images for each class.")
    if kind != "images" and not path.is_file():
        raise ValueError(f"input={path}: must be an existing {'table' if kind == 'numbers' else 'text'}.")


def _report(task: Task, batches: Batches, config: RunConfig, name: str) -> dict[str, float]:
    """Compute and print the metrics `<name>/...`; for other data, also print the number of samples and the classes."""
    seen: list[Tensor] = []
    noted = _noted(batches, seen) if name == OTHER else batches
    metrics = {f"{name}/{key}": value for key, value in compute_metrics(task, noted, config.precision).items()}
    if name == OTHER:
        print(_content(torch.cat(seen), task))
    print(metrics_table(metrics, (*SPLITS, OTHER)))
    return metrics


def _noted(batches: Batches, seen: list[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the batches, and append their classes to `seen`; of other targets, only their number."""
    for inputs, targets in batches:
        seen.append(targets.cpu() if targets.ndim == 1 else targets[:, :0].cpu())
        yield inputs, targets


def _content(targets: Tensor, task: Task) -> str:
    """Return a line with the number of samples, and the classes without samples."""
    if task.spec.targets != "classes":
        return f"{len(targets):,} samples"
    counts = targets.bincount(minlength=task.spec.num_outputs).tolist()
    missing = [label for label, count in zip(task.spec.labels, counts, strict=True) if not count]
    line = f"{len(targets):,} samples in {len(counts) - len(missing)} of {len(counts)} classes"
    return (
        f"{line}; without samples: {', '.join(missing[:10])}{', …' if len(missing) > 10 else ''}" if missing else line
    )


@torch.inference_mode()
def compute_metrics(task: Task, batches: Batches, precision: str = "32-true") -> dict[str, float]:
    """Return the metrics over all batches.

    Args:
        task: in evaluation mode.
        batches: raw inputs and targets.
        precision: the `trainer.precision` of the run.
    """
    meter = task.new_meter()
    task.added.reset(task.device)
    with mixed_precision(precision, task.device):
        for inputs, targets in batches:
            task.batch_loss((inputs.to(task.device), targets.to(task.device)), meter)
    return meter.compute() | task.added.compute()
