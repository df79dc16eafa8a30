"""Evaluate a finished run, from its folder and the data, or on other labelled data. Lightning is not imported."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from firstlight.checks import choose
from firstlight.config import RunConfig
from firstlight.data import BatchLoader, Split, Store
from firstlight.data.images.class_folders import ClassFolders
from firstlight.data.images.memory import MAX_PIXELS
from firstlight.data.record import DataRecord, differences
from firstlight.data.relabel import relabelled
from firstlight.files import user_path
from firstlight.runs.device import pick_device
from firstlight.runs.findings.decide import check_decisions
from firstlight.runs.findings.report import OTHER, Found, decide, report, write_files
from firstlight.runs.findings.report import compute_metrics as compute_metrics
from firstlight.runs.findings.write import Samples
from firstlight.runs.load import load_task
from firstlight.runs.run_folder import RunFolder
from firstlight.spec import DataSpec
from firstlight.tasks import Task
from firstlight.tasks.build import build_source

_MAX_REMARKS = 10  # lines that say how other data was read


def evaluate(
    run: str | Path,
    split: str = "test",
    checkpoint: str = "best",
    data: dict[str, Any] | None = None,
    accelerator: str = "auto",
    input: str | Path | None = None,
    trust: bool = False,
    figures: bool = True,
    output: str | Path | None = None,
    calibrate: bool = False,
    threshold: str | None = None,
) -> dict[str, float]:
    """Evaluate a checkpoint of a run as training does at its end, and print the metrics.

    For classes, the metrics of each and the confusion matrix are printed too. Figures and a table of the classes are
    written to a folder. No other file of the run changes.

    Other labelled data is evaluated too, if `data` or `input` names it: its samples are preprocessed as in training,
    and the report says that it is other data.

    Args:
        run: the run folder.
        split: "test", or "val": the part of the training samples that the run held out.
        checkpoint: "best" or "last".
        data: new values for `data` in the config, such as `{"dir": ...}`; see `RunConfig.with_data`. If the data there
            is not the run's, its split of this name is evaluated as other data.
        accelerator: see `pick_device`.
        input: other labelled data, all of which is evaluated: a folder with a folder of images or texts for each class,
            a table, or a text.
        trust: whether the run's config may name any class or function, see `RunFolder.config`.
        figures: whether figures and the table of the classes are written.
        output: the folder for them; None for `evaluate/<split>` in the run folder, or `evaluate/other`.
        calibrate: whether a temperature is fitted on the validation split and written to calibration.json in the run
            folder. Predictions and exports of this checkpoint then use it; see `findings.temperature`.
        threshold: what a threshold for the second of two classes makes as large as possible on the validation split:
            "f1", "accuracy" or "youden", see `findings.threshold`; None for no threshold.

    Returns:
        The metrics `<split>/<name>`, or `other/<name>` for other data. With `calibrate` also `temperature`,
        `<split>/calibrated_loss` and `<split>/calibrated_ece`; with `threshold` also `threshold` and
        `<split>/threshold_<metric>`.

    Raises:
        ValueError: the run, the checkpoint or the split does not exist; the data is not the run's, and neither `data`
            nor `input` names other data; other data has unknown classes; an option does not fit the task; or the
            output cannot be written.
    """
    choose("split", split, ("test", "val"), "split")
    folder = RunFolder.open(run)
    folder.existing_checkpoint(checkpoint)  # reports a wrong name before the data is read
    config = folder.config(trust).with_data(**data or {})
    given = None if output is None else user_path(output, "output")

    def load() -> Task:
        task = load_task(run, checkpoint, pick_device(accelerator), trust)
        check_decisions(task, calibrate, threshold)
        return task

    decides = calibrate or threshold is not None
    if input is not None:
        if decides:
            raise _no_validation(f"input={input}", "null")
        path = user_path(input, "input")
        _check_input(path, folder.spec())
        found = _evaluate_other(load(), config, path)
    else:
        named = {key for key, value in (data or {}).items() if value}
        found = _evaluate_split(load, folder, config, split, named)
        if decides and found.validation is None:
            raise _no_validation(f"data.{min(named)}", "that of the run's own data")
    if figures and found.outcomes is not None:
        write_files(found, found.outcomes, folder.path / "evaluate" / found.name if given is None else given, given)
    return found.metrics | decide(found, folder, checkpoint, config, calibrate, threshold)


def _evaluate_split(
    load: Callable[[], Task], folder: RunFolder, config: RunConfig, split: str, named: set[str]
) -> Found:
    """Evaluate a split of the run's data, or of other data if "dir" or "file" of `data` is `named`."""
    source = build_source(config)
    store, splits = source.splits(config.seed)
    differs = differences_from(folder, store, splits)
    if differs and not {"dir", "file"} & named:
        raise other_data(folder, config, differs)
    task = load()
    chosen = relabelled(splits[split], store.spec, task.spec) if differs else splits[split]
    loader = BatchLoader(chosen, source.batch_size, device=task.device)
    if differs:
        print("\n".join([f"other data than the run's: {source.dir}", *(f"- {line}" for line in differs)]))
        return report(task, loader, config, OTHER, _taking(chosen))
    task.adapt_to(splits["train"], splits["val"])  # some tasks evaluate with the training samples
    validation = BatchLoader(splits["val"], source.batch_size, device=task.device)
    return replace(report(task, loader, config, split, _taking(chosen)), validation=validation)


def _no_validation(key: str, must_be: str) -> ValueError:
    return ValueError(
        f"{key}: must be {must_be} with calibrate or threshold, which need the validation split of the run."
    )


def _taking(split: Split) -> Samples:
    return lambda places: split.take(places)[0]


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


def _evaluate_other(task: Task, config: RunConfig, path: Path) -> Found:
    """Evaluate all samples of a file, or of a folder with a folder of images or texts for each class."""
    spec = task.spec
    batch_size = config.data.get("batch_size", 32)
    read_together = 32 if batch_size == "all" else batch_size
    print(f"other data than the run's: {path}")
    if spec.kind == "images":
        images = ClassFolders(path, spec, read_together, config.data.get("max_pixels", MAX_PIXELS))
        found = report(task, images, config, OTHER, images.take)
        for problem in images.problems:
            print(f"left out: {problem}")
        return found
    place = {"dir": str(path), "file": None} if path.is_dir() else {"file": str(path)}
    source = build_source(replace(config, data=config.data | place))
    samples = source.read_all(spec)
    for remark in source.remarks[:_MAX_REMARKS]:
        print(remark)
    if len(source.remarks) > _MAX_REMARKS:
        print(f"and {len(source.remarks) - _MAX_REMARKS:,} more lines of this kind")
    return report(task, BatchLoader(samples, batch_size, device=task.device), config, OTHER, _taking(samples))


def _check_input(path: Path, spec: DataSpec) -> None:
    """Check that the path fits to the samples of the run.

    Raises:
        ValueError: it is not a folder, for images; not a file, for tables and texts that go on; or does not exist, for
            texts that are classified. An agent gets no samples, and the targets of images must be classes.
    """
    if spec.environment:
        raise ValueError(f"input={path}: must be null for an agent, which plays {spec.environment}. To fix: split=val.")
    if spec.kind == "images" and spec.target_type:
        raise ValueError(
            f"input={path}: must be null with {spec.targets} as targets, which folders of classes do not have."
            " To fix: set data.dir to other data of the same form."
        )
    if spec.kind == "images" and not path.is_dir():
        raise ValueError(f"input={path}: must be an existing folder with a folder of images for each class.")
    if spec.kind == "tokens" and spec.targets == "classes":
        if not path.exists():
            raise ValueError(
                f"input={path}: must be an existing table of texts and labels, or a folder with a folder of texts for"
                " each class."
            )
    elif spec.kind != "images" and not path.is_file():
        raise ValueError(f"input={path}: must be an existing {'table' if spec.kind == 'numbers' else 'text'}.")
