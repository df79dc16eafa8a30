"""The report of an evaluation: the metrics, and what was found for each sample."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from firstlight.config import RunConfig
from firstlight.runs.command_line import relative_path
from firstlight.runs.device import mixed_precision
from firstlight.runs.findings import write
from firstlight.runs.findings.decide import calibrate_task, choose_threshold
from firstlight.runs.findings.text import classes_text
from firstlight.runs.findings.write import Samples
from firstlight.runs.run_folder import RunFolder
from firstlight.runs.summary import SPLITS, metrics_table
from firstlight.tasks import Classification, Task
from firstlight.tasks.outcomes import Outcomes

Batches = Iterable[tuple[Tensor, Tensor]]
OTHER = "other"  # the name of other data in the metrics, in the place of a split


@dataclass(frozen=True)
class Found:
    """The result of an evaluation: metrics `<name>/...`, and what was found for each sample, if the task keeps it."""

    task: Task
    name: str
    metrics: dict[str, float]
    outcomes: Outcomes | None
    samples: Samples | None
    validation: Batches | None = None  # of the run itself; None for other data


def report(task: Task, batches: Batches, config: RunConfig, name: str, samples: Samples) -> Found:
    """Compute and print the metrics `<name>/...`; for other data, also print the number of samples and the classes."""
    seen: list[Tensor] = []
    noted = _noted(batches, seen) if name == OTHER else batches
    outcomes = task.new_outcomes()
    found = compute_metrics(task, noted, config.precision, outcomes)
    if outcomes is not None and name != "val":  # as in training
        found |= task.outcome_metrics(outcomes)
    metrics = {f"{name}/{key}": value for key, value in found.items()}
    if name == OTHER:
        print(_content(torch.cat(seen), task))
    print(metrics_table(metrics, (*SPLITS, OTHER)))
    classes = None if outcomes is None else write.classes_of(task, outcomes)
    if classes is not None:
        print(f"\n{classes_text(classes)}")
    return Found(task, name, metrics, outcomes, samples)


def write_files(found: Found, outcomes: Outcomes, target: Path, given: Path | None) -> None:
    """Write the figures and the table of the classes, and print where they are.

    A run folder that cannot be written to is no error, unless the user has named the output.

    Raises:
        ValueError: the folder that the user has named cannot be written to.
    """
    try:
        figures = write.write_findings(target, found.task, outcomes, found.samples)
    except OSError as error:
        if given is not None:
            raise ValueError(f"output={given}: must be a folder that can be written to ({error}).") from error
        print(f"\n{target}: cannot write ({error}). To fix: name another folder with output=")
        return
    names = [*(f"{name}.png" for name in figures), *([write.TABLE] if (target / write.TABLE).exists() else [])]
    if names:
        print(f"\n{', '.join(names)} in {relative_path(target)}")


def decide(
    found: Found, folder: RunFolder, checkpoint: str, config: RunConfig, calibrate: bool, threshold: str | None
) -> dict[str, float]:
    """Fit the temperature and choose the threshold that are requested, on the validation split; return the numbers."""
    task, outcomes = found.task, found.outcomes
    if not calibrate and threshold is None:
        return {}
    assert isinstance(task, Classification)  # `check_decisions`
    assert outcomes is not None
    assert found.validation is not None
    validation = outcomes
    if found.name != "val":
        validation = Outcomes()
        compute_metrics(task, found.validation, config.precision, validation)
    numbers = calibrate_task(folder, checkpoint, task, validation, found.name, outcomes) if calibrate else {}
    if threshold is not None:
        numbers |= choose_threshold(folder, task, validation, found.name, outcomes, threshold)
    return numbers


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
def compute_metrics(
    task: Task, batches: Batches, precision: str = "32-true", outcomes: Outcomes | None = None
) -> dict[str, float]:
    """Return the metrics over all batches.

    Args:
        task: in evaluation mode.
        batches: raw inputs and targets.
        precision: the `trainer.precision` of the run.
        outcomes: get what the task finds for each sample, and are gathered; None to keep nothing.
    """
    meter = task.new_meter()
    task.begin_added(task.device)
    task.outcomes = outcomes
    with mixed_precision(precision, task.device):
        for inputs, targets in batches:
            task.batch_loss((inputs.to(task.device), targets.to(task.device)), meter)
    task.outcomes = None
    if outcomes is not None:
        outcomes.gather()
    return meter.compute() | task.added_values()
