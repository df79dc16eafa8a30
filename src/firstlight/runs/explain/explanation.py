"""What is shown of an explanation: a figure, and lines for the screen."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from firstlight.checks import printable
from firstlight.log import aligned
from firstlight.runs.explain.attributions import explain_images
from firstlight.runs.explain.channels import strongest_channels
from firstlight.runs.explain.contributions import explain_rows
from firstlight.runs.explain.drawing.bars import Bars, draw_bars
from firstlight.runs.explain.drawing.overlay import heat_overlay, sign_overlay
from firstlight.runs.explain.drawing.panels import Panel, draw_panels, mosaic
from firstlight.runs.explain.drawing.tokens import draw_contributions, draw_tokens
from firstlight.runs.explain.errors import reconstruction_errors
from firstlight.runs.explain.importance import Importance
from firstlight.runs.explain.tokens import token_contributions, token_losses
from firstlight.runs.predict.inputs import InputBatch
from firstlight.runs.predict.screen import name_of
from firstlight.tasks import Classification, Language, Metric, Reconstruction, Task

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MAX_TOKENS = 100  # rows of the table on the screen
_MAX_STRONGEST = 10  # tokens of a text that are listed


class Explanation(NamedTuple):
    """An explanation as people see it.

    Attributes:
        figure: the figure.
        lines: what is printed.
    """

    figure: "Figure"
    lines: list[str]


def of_images(task: Task, batch: InputBatch, chosen: int | None) -> Explanation:
    """Explain a class or target of images: Grad-CAM, integrated gradients, and the strongest channels of each layer."""
    raw = batch.raw.to(task.device)
    found = explain_images(task, raw, None if chosen is None else [chosen] * len(raw))
    with torch.no_grad():
        layers = strongest_channels(task.network, task.preprocess(raw))
    rows, table = [], []
    for place, (names, row) in enumerate(zip(batch.names, task.predict_rows(raw), strict=True)):
        label, name = task.spec.labels[int(found.chosen[place])], name_of(names)[0]
        image = found.images[place : place + 1]
        panels = [Panel(f"{_title(names)}\n{' '.join(task.cells(row))}", image[0])]
        if found.grad_cam is not None:
            heat = found.grad_cam[place : place + 1]
            empty = "" if heat.any() else "\n(nothing speaks for it)"
            panels.append(
                Panel(f"{_end(printable(label))}: Grad-CAM\n{found.layer}{empty}", heat_overlay(image, heat)[0])
            )
        integrated, difference = _given(found.integrated), _given(found.differences)
        signs = sign_overlay(image, integrated[place : place + 1])[0]
        panels.append(Panel(f"{_end(printable(label))}: integrated gradients\norange for it, blue against it", signs))
        for layer in layers:
            numbers = " ".join(map(str, layer.numbers[place].tolist()))
            panels.append(Panel(f"{layer.name}\nchannels {numbers}", mosaic(layer.values[place])))
        rows.append(panels)
        total = f"{integrated[place].sum():.4g} of {difference[place]:.4g}"
        table.append((name, *task.cells(row), f"explains {printable(label)}", f"integrated gradients {total}"))
    lines = [aligned(table)]
    if found.grad_cam is None:
        lines.append(f"without Grad-CAM, because {type(task.network).__name__} has no layer with feature maps")
    return Explanation(draw_panels(rows), lines)


def of_reconstructions(task: Reconstruction, batch: InputBatch) -> Explanation:
    """Show images, their reconstructions and the squared error of each pixel."""
    found = reconstruction_errors(task, batch.raw)
    limit = float(found.errors.max()) or 1.0
    rows, table = [], []
    for names, image, made, error in zip(batch.names, *found, strict=True):
        name, mse = name_of(names)[0], f"mse {error.mean():.6f}"
        panels = Panel(_title(names), image), Panel("reconstruction", made)
        rows.append([*panels, Panel(f"squared error\n{mse}", error, "squared error", limit)])
        table.append((name, mse))
    return Explanation(draw_panels(rows), [aligned(table)])


def of_texts(task: Language, batch: InputBatch) -> Explanation:
    """Show the loss of each token of texts, and which token was expected in its place."""
    texts = token_losses(task, batch.raw)
    table = [("token", "loss", "expected")]
    for each in (each for text in texts for each in text):
        loss = "given" if each.loss is None else f"{each.loss:.4f}"
        table.append((repr(each.token), loss, "" if each.expected is None else repr(each.expected)))
    rest = len(table) - 1 - _MAX_TOKENS
    lines = [aligned(table[: 1 + _MAX_TOKENS]), *([f"… and {rest:,} more tokens"] if rest > 0 else [])]
    return Explanation(draw_tokens(texts, task.spec.num_outputs), lines)


def of_classified_texts(task: Classification, batch: InputBatch, chosen: int | None) -> Explanation:
    """Show what each token of texts adds to the logit of a class, and list those that add or take most."""
    found = token_contributions(task, batch.raw, batch.texts, chosen)
    lines = []
    rows = task.predict_rows(batch.raw.to(task.device))
    for place, (names, row, tokens) in enumerate(zip(batch.names, rows, found.texts, strict=True)):
        label = printable(task.spec.labels[found.chosen[place]])
        lines.append(f"{name_of(names)[0]}: {'  '.join(task.cells(row))}; explains {label}")
        most = sorted((each for each in tokens if each.token.strip()), key=lambda each: -abs(each.value))[
            :_MAX_STRONGEST
        ]
        lines.append(aligned([(f"  {each.token!r}", f"{each.value:+.4f}") for each in most]))
    return Explanation(draw_contributions(found.texts), lines)


def of_rows(task: Task, batch: InputBatch, chosen: int | None) -> Explanation:
    """Show what each column adds to the prediction for rows of a table."""
    found = explain_rows(task, batch.raw, chosen)
    unit = "logits" if task.spec.targets == "classes" else "units of the target"
    parts, lines = [], []
    for place, (names, row) in enumerate(zip(batch.names, task.predict_rows(batch.raw.to(task.device)), strict=True)):
        label, values = task.spec.labels[int(found.chosen[place])], found.values[place].tolist()
        title = f"row {names.get('row', place + 1)}: {'  '.join(task.cells(row))}"
        start = f"from {float(found.start[place]):.4g} for the mean row"
        parts.append(Bars(title, f"integrated gradients for {label}, in {unit}, {start}", found.columns, values))
        lines.append(f"{title}; explains {printable(label)}, {start}")
        lines.append(_largest_first(found.columns, [f"{value:+.4g}" for value in values], values))
    return Explanation(draw_bars(parts), lines)


def of_importance(metric: Metric, value: float, found: Sequence[Importance]) -> Explanation:
    """Show by how much a metric becomes worse without each column."""
    change = "falls" if metric.direction == "max" else "rises"
    axis = f"{change[:-1]} of {metric.name} if the column is shuffled"
    names, means, stds = zip(*found, strict=True)
    figure = draw_bars([Bars(f"permutation importance, {metric.name} {value:.4g}", axis, names, means, stds)])
    table = [(printable(each.name), f"{each.mean:.4g}", f"± {each.std:.2g}") for each in found]
    return Explanation(figure, [f"{metric.name} {value:.6g} {change} if a column is shuffled, by", aligned(table)])


def _largest_first(names: Sequence[str], texts: Sequence[str], values: Sequence[float]) -> str:
    order = sorted(range(len(names)), key=lambda index: -abs(values[index]))
    return aligned([(f"  {printable(names[index])}", texts[index]) for index in order])


def _end(text: str) -> str:
    """Return the end of a text that is too long for a title."""
    return text if len(text) <= 28 else f"…{text[-27:]}"


def _title(names: dict[str, Any]) -> str:
    """Return the name of a file without its folder, or the number of an image in memory."""
    value = next(iter(names.values()))
    return _end(printable(Path(value).name if isinstance(value, str) else f"image {value}"))


def _given(value: Any) -> Any:
    assert value is not None  # integrated gradients are requested
    return value
