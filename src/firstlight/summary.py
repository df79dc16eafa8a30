"""The words at the end of a run."""

import os
from pathlib import Path
from typing import Any

from firstlight.config import CONFIG_DIR
from firstlight.run_folder import RunFolder

SPLITS = ("train", "val", "test")


def metrics_table(metrics: dict[str, Any]) -> str:
    """A row for each split, a column for each metric, with six digits after the point."""
    splits = [split for split in SPLITS if any(name.startswith(f"{split}/") for name in metrics)]
    names = list(dict.fromkeys(name.split("/")[1] for name in metrics if name.split("/")[0] in SPLITS))
    width = max(map(len, (*names, "0.000000"))) + 2
    lines = ["      " + "".join(name.rjust(width) for name in names)]
    for split in splits:
        cells = (metrics.get(f"{split}/{name}") for name in names)
        lines.append(f"{split:6}" + "".join(("" if cell is None else f"{cell:.6f}").rjust(width) for cell in cells))
    return "\n".join(lines)


def closing_words(folder: RunFolder, metrics: dict[str, Any]) -> str:
    """Metrics of the best epoch, speed, and what to do next."""
    path = shown(folder.path)
    return "\n".join(
        [
            "",
            f"best epoch {metrics['epoch']} by {metrics['monitor']}",
            metrics_table(metrics),
            "",
            f"{metrics['parameters']:,} parameters, {metrics['flops_per_sample'] / 1e6:,.2f} MFLOP per sample forward, "
            f"{metrics['samples_per_second']:,.0f} samples/s ({metrics['gflops_per_second']:,.1f} GFLOP/s), "
            f"fit {metrics['seconds/fit']:.1f} s, all {metrics['seconds/total']:.1f} s",
            f"run folder  {path}",
            f"evaluate    {command('evaluate')} run={path}",
            f"predict     {command('predict')} run={path} input=<picture or folder>"
            if "test/accuracy" in metrics and "test/perplexity" not in metrics
            else f"sample      {command('sample')} run={path}",
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


def shown(path: Path) -> Path:
    """From the working directory, where the path lies below it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
