"""The figures and the table of what a task has found for the samples of a split."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from firstlight.files import write_csv
from firstlight.runs.figures.canvas import save_figure
from firstlight.runs.figures.confusion import confusion, shorten
from firstlight.runs.figures.curves import curves
from firstlight.runs.figures.mistakes import MAX_MISTAKES, mistakes
from firstlight.runs.figures.precision_recall import precision_recall
from firstlight.runs.figures.predicted_true import predicted_true
from firstlight.runs.figures.reliability import reliability
from firstlight.runs.findings.classified import Classified
from firstlight.runs.findings.segmented import Segmented
from firstlight.runs.run_folder import RunFolder
from firstlight.tasks import Classification, Regression, Segmentation, Task
from firstlight.tasks.outcomes import Outcomes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Samples = Callable[[Tensor], Tensor]
"""Returns the raw samples (samples, ...) at these places of a split (samples,)."""
TABLE = "per_class.csv"


def write_curves(folder: RunFolder, best_epoch: float | None) -> dict[str, "Figure"]:
    """Write curves.png to a run folder, if an epoch has ended. Return the figure by its name."""
    rows = folder.history()
    figures = {"curves": curves(rows, best_epoch)} if rows else {}
    for name, figure in figures.items():
        save_figure(figure, folder.path / f"{name}.png")
    return figures


def write_findings(target: Path, task: Task, outcomes: Outcomes, samples: Samples | None) -> dict[str, "Figure"]:
    """Write the figures that fit the task to a folder; for classes, also a table with a row for each.

    Files that an earlier run of the same folder has left and that there are no more, such as mistakes.png without
    mistakes, are deleted.

    Args:
        target: the folder, which is created.
        task: has found the outcomes.
        outcomes: those of one split, gathered.
        samples: returns raw samples of the split; None if they cannot be read again.

    Returns:
        The figures by the names of their files, without the suffix.
    """
    target.mkdir(parents=True, exist_ok=True)
    figures = dict(draw(task, outcomes, samples))
    for name in ("confusion", "calibration", "precision_recall", "mistakes", "predicted_true"):
        if name not in figures:
            (target / f"{name}.png").unlink(missing_ok=True)
    for name, figure in figures.items():
        save_figure(figure, target / f"{name}.png")
    classes = classes_of(task, outcomes)
    if classes is not None:
        write_csv(target / TABLE, classes.per_class())
    return figures


def classes_of(task: Task, outcomes: Outcomes) -> Classified | Segmented | None:
    """Return what was found for classes of samples or of pixels; None for other tasks, and without samples."""
    if not len(outcomes):
        return None
    if isinstance(task, Segmentation):
        return Segmented.of(outcomes, task.spec)
    return Classified.of(outcomes, task.spec) if isinstance(task, Classification) else None


def draw(task: Task, outcomes: Outcomes, samples: Samples | None) -> Iterator[tuple[str, "Figure"]]:
    """Yield the name and the figure of everything that there is to show; see `write_findings`."""
    if not len(outcomes):
        return
    if isinstance(task, Classification):
        found = Classified.of(outcomes, task.spec)
        yield "confusion", confusion(found.confusion().numpy(), found.labels)
        yield "calibration", reliability(found.confidences.numpy(), found.is_correct.numpy())
        yield "precision_recall", precision_recall(found.probabilities.numpy(), found.targets.numpy(), found.labels)
        worst, number = found.worst(MAX_MISTAKES), int((~found.is_correct).sum())
        captions = [_class_caption(found, position) for position in worst]
        title = f"{len(worst)} worst of {number:,} mistakes in {len(found.targets):,} samples"
    elif isinstance(task, Segmentation):
        images = Segmented.of(outcomes, task.spec)
        yield "confusion", confusion(images.confusion().numpy(), images.labels)
        worst = images.worst(MAX_MISTAKES // 2)
        captions = [text for each in worst for text in (f"mean IoU {1 - float(images.errors[each]):.0%}", "prediction")]
        title = f"{len(worst)} lowest mean IoU in {len(images.errors):,} samples"
    elif isinstance(task, Regression):
        predicted, true = outcomes.outputs, outcomes.targets
        yield "predicted_true", predicted_true(predicted.numpy(), true.numpy(), task.spec.labels)
        worst = outcomes.losses.argsort(descending=True, stable=True)[:MAX_MISTAKES].tolist()
        captions = [f"true {float(true[each, 0]):.4g}\npredicted {float(predicted[each, 0]):.4g}" for each in worst]
        title = f"{len(worst)} largest errors in {len(true):,} samples"
    else:
        return
    if worst and samples is not None and task.spec.kind == "images":
        raw = samples(outcomes.indices[torch.tensor(worst)])
        pairs = task.example_output(raw.to(task.device)) if isinstance(task, Segmentation) else None
        yield "mistakes", mistakes((visible(task, raw) if pairs is None else pairs).numpy(), captions, title)


def visible(task: Task, raw: Tensor) -> Tensor:
    """Return raw images (images, channels, height, width) as a network sees them, without their margin, from 0 to 1."""
    margin = task.spec.margin
    height, width = raw.shape[2:]
    return raw[:, :, margin : height - margin, margin : width - margin].float().cpu() / 255


def _class_caption(found: Classified, position: int) -> str:
    true, predicted = (shorten(found.labels[int(part[position])]) for part in (found.targets, found.predicted))
    return f"is {true}\n→ {predicted} {float(found.confidences[position]):.0%}"
