"""The texts that a run prints at its beginning and at its end."""

import itertools
import math
import re
from collections.abc import Mapping, Sequence, Sized
from typing import Any

from firstlight.networks.network import num_parameters, parameters_text
from firstlight.runs.command_line import command, relative_path, runner
from firstlight.runs.run_folder import RunFolder
from firstlight.tasks import Task

SPLITS = ("train", "val", "test")


def opening_text(name: str, seed: int, task: Task, splits: Mapping[str, Sized]) -> str:
    """Return a line with the size of the network, the shape of its inputs, and the sizes of the splits."""
    sizes = ", ".join(f"{len(splits[split]):,} {split}" for split in SPLITS)
    shape = "x".join(map(str, task.preprocess.output_spec.input_shape))
    parameters = parameters_text(task.network)
    if task.freezing.always_frozen:
        parameters += f" ({num_parameters(task.freezing.head):,} of them learn)"
    return f"{name}: {parameters}, inputs {shape}, samples {sizes}, seed {seed}"


def closing_text(
    folder: RunFolder,
    metrics: dict[str, Any],
    task: Task | None,
    result: str | None = None,
    *,
    has_curves: bool = True,
    in_python: bool = False,
) -> str:
    """Return the metrics of the best epoch, the speed, and the commands that use the run.

    Args:
        folder: the run folder.
        metrics: the content of metrics.json.
        task: the task that predicts; None if the run folder cannot predict.
        result: the result of the training in one line, see `Task.result_line`.
        has_curves: whether the run folder has events for TensorBoard.
        in_python: whether only a program has the network, so that no command can use the run.
    """
    path = relative_path(folder.path)
    return "\n".join(
        [
            "",
            *_best_epoch(metrics),
            *([result] if result else []),
            "",
            _cost(metrics),
            f"run folder  {path}",
            *(
                [f'use it      firstlight.load_run("{folder.path}", model=...)']
                if in_python
                else _commands(path, task, has_checkpoint="epoch" in metrics)
            ),
            *([f"report      {path}/report.html"] if (folder.path / "report.html").exists() else []),
            *([f"curves      {runner()}tensorboard --logdir {path}"] if has_curves else []),
        ]
    )


def _cost(metrics: dict[str, Any]) -> str:
    """Return a line with the size of the network and the speed; operations are unknown for some networks."""
    parts, speed = [f"{metrics['parameters']:,} parameters"], f"{metrics['samples_per_second']:,.0f} samples/s"
    if "flops_per_sample" in metrics:
        parts.append(f"{metrics['flops_per_sample'] / 1e6:,.2f} MFLOP per sample forward")
        speed += f" ({metrics['gflops_per_second']:,.1f} GFLOP/s)"
    if not math.isnan(metrics["samples_per_second"]):  # NaN if no epoch has ended
        parts.append(speed)
    return ", ".join([*parts, f"fit {metrics['seconds/fit']:.1f} s", f"total {metrics['seconds/total']:.1f} s"])


def _commands(path: str, task: Task | None, *, has_checkpoint: bool) -> list[str]:
    """Return a line for each command that can use the run; None as task stands for one that cannot predict."""
    if not has_checkpoint:
        return []
    evaluate = f"evaluate    {command('evaluate')} run={path}"
    if task is None:
        return [evaluate]
    inputs = {"images": "<image or folder>", "numbers": "<table.csv>", "tokens": "<text or file>"}[task.spec.kind]
    return [
        evaluate,
        *([f"predict     {command('predict')} run={path} input={inputs}"] if task.can_predict else []),
        *([f"sample      {command('sample')} run={path}"] if task.can_sample else []),
    ]


def _best_epoch(metrics: dict[str, Any]) -> list[str]:
    if "epoch" not in metrics:
        return ["no epoch has ended"]
    return [f"best epoch {metrics['epoch']} by {metrics['monitor']}", metrics_table(metrics)]


def metrics_table(metrics: dict[str, Any], rows: Sequence[str] = SPLITS) -> str:
    """Return a table with a row for each split and a column for each metric, with six digits after the point.

    Metrics of a LightningModule may be named `val_loss` in place of `val/loss`. Names without a split are left out; the
    table is empty if there are no others.
    """
    metrics = {re.sub(rf"^({'|'.join(rows)})_", r"\1/", name): value for name, value in metrics.items()}
    splits = [split for split in rows if any(name.startswith(f"{split}/") for name in metrics)]
    names = list(dict.fromkeys(name.partition("/")[2] for name in metrics if name.partition("/")[0] in rows))
    values = [[metrics.get(f"{split}/{name}") for name in names] for split in splits]
    cells = [["" if value is None else f"{value:.6f}" for value in row] for row in values]
    if not names:
        return ""
    width = max(map(len, itertools.chain(names, *cells))) + 2
    table = [" " * 6, *(f"{split:6}" for split in splits)]
    return "\n".join(
        start + "".join(cell.rjust(width) for cell in row) for start, row in zip(table, [names, *cells], strict=True)
    )
