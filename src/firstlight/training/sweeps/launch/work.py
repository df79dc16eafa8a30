"""What a job of a sweep does: train a run, or continue it."""

import importlib
import time
from collections.abc import Sequence
from typing import Any

from firstlight.runs.run_folder import RunFolder
from firstlight.runs.sweeps.job import Job

_ENDED = ("completed", "diverged", "pruned")


def train_job(job: Job) -> dict[str, Any]:
    """Train the run of a job, or continue it if it was stopped. A job that names others is trained together with them.

    Returns:
        The content of metrics.json, and "run_dir"; for several jobs, this by their numbers as "jobs".

    Raises:
        ValueError: the config is wrong, or its parts do not fit together.
    """
    from firstlight.training import run as engine

    started = time.perf_counter()
    if job.stacked:
        return _train_together([job, *job.stacked], started)
    folder = RunFolder(job.run_dir)
    if not job.resumes or not folder.config_path.is_file():
        return engine.train(job.config, run_dir=job.run_dir, started=started)
    metrics = folder.metrics()
    if metrics.get("status") in _ENDED:  # it has ended, and the sweep was killed before it has noted this
        return metrics | {"run_dir": str(folder.path)}
    return engine.resume(job.run_dir, started=started, trust=job.config.get("trust") is True)


def _train_together(jobs: Sequence[Job], started: float) -> dict[str, Any]:
    from firstlight.training.stacked import train_stacked

    found = train_stacked([job.config for job in jobs], [job.run_dir for job in jobs], started)
    numbers = [str(job.number) for job in jobs]
    return {"status": "completed", "jobs": dict(zip(numbers, found, strict=True))}


def import_training() -> None:
    """Import what most runs need, from the data to the report, and fill the caches of what they read and draw.

    This starts no thread, and computes nothing with torch: its threads would not survive in the jobs.
    """
    from firstlight.training.lean_imports import defer_imports

    importlib.import_module("firstlight.training.assemble")
    defer_imports()
    for name in _MODULES:
        importlib.import_module(name)
    from PIL import Image
    from torch.utils.flop_counter import FlopCounterMode  # noqa: F401  # `defer_imports` has put it off

    Image.init()  # imports the formats
    _fill_caches()


def _fill_caches() -> None:
    """Let Hydra find its plugins and the config checks read source code; let matplotlib find its fonts."""
    from firstlight.config import RunConfig, compose
    from firstlight.runs.figures.canvas import as_image, as_svg, new_figure

    RunConfig.parse(compose())
    figure = new_figure(4, 3)
    axes = figure.add_subplot(title="title")
    axes.plot([1, 10], [1, 10], label="label")
    axes.set_yscale("log")  # its numbers are formulas, and have a parser
    axes.legend()
    as_image(figure)
    as_svg(figure)


_MODULES = (
    "firstlight.training.environment",
    "firstlight.training.fit",
    "firstlight.training.worker",
    "jinja2",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg",
    "numpy.random",
    "tensorboard.plugins.hparams.metadata",
    "torch.utils.tensorboard",
    "torch.distributed.tensor",  # the graph of a network imports this and the next
    "torch.fx.experimental.symbolic_shapes",
    "torch.nested._internal.nested_tensor",
)
