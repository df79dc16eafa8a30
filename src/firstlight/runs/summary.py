"""The words at the end of a run."""

from __future__ import annotations

import itertools
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firstlight.config.compose import CONFIG_DIR
from firstlight.runs.run_folder import RunFolder

if TYPE_CHECKING:
    from firstlight.tasks import Task

SPLITS = ("train", "val", "test")


def metrics_table(metrics: dict[str, Any]) -> str:
    """A row for each split, a column for each metric, with six digits after the point."""
    splits = [split for split in SPLITS if any(name.startswith(f"{split}/") for name in metrics)]
    names = list(dict.fromkeys(name.split("/")[1] for name in metrics if name.split("/")[0] in SPLITS))
    rows = [[metrics.get(f"{split}/{name}") for name in names] for split in splits]
    cells = [["" if value is None else f"{value:.6f}" for value in row] for row in rows]
    width = max(map(len, itertools.chain(names, *cells))) + 2
    table = [" " * 6, *(f"{split:6}" for split in splits)]
    return "\n".join(
        start + "".join(cell.rjust(width) for cell in row) for start, row in zip(table, [names, *cells], strict=True)
    )


def closing_words(folder: RunFolder, metrics: dict[str, Any], task: Task) -> str:
    """Metrics of the best epoch, speed, and what to do next."""
    path = shown(folder.path)
    found = task.in_words()
    predicts = task.task_name == "classification" and task.spec.kind == "images"
    return "\n".join(
        [
            "",
            f"best epoch {metrics['epoch']} by {metrics['monitor']}",
            metrics_table(metrics),
            *([found] if found else []),
            "",
            f"{metrics['parameters']:,} parameters, {metrics['flops_per_sample'] / 1e6:,.2f} MFLOP per sample forward, "
            f"{metrics['samples_per_second']:,.0f} samples/s ({metrics['gflops_per_second']:,.1f} GFLOP/s), "
            f"fit {metrics['seconds/fit']:.1f} s, all {metrics['seconds/total']:.1f} s",
            f"run folder  {path}",
            f"evaluate    {command('evaluate')} run={path}",
            *([f"predict     {command('predict')} run={path} input=<image or folder>"] if predicts else []),
            *([f"sample      {command('sample')} run={path}"] if task.can_sample else []),
            f"curves      {_runner()}tensorboard --logdir {path}",
        ]
    )


def command(name: str) -> str:
    """How this user calls train, evaluate or predict: from the checkout, or as the installed command."""
    script = CONFIG_DIR.parent / "scripts" / f"{name}.py"
    if not script.exists():
        return f"{_runner()}firstlight {name}"
    return f"{_runner() or 'python '}{shown(script)}"


def _runner() -> str:
    """uv says so where it runs us."""
    return "uv run " if "UV" in os.environ else ""


def shown(path: Path) -> str:
    """From the working directory, where the path lies below it; in quotes where a shell asks for them."""
    return shlex.quote(str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path))
