"""Runs in processes of their own, which can be killed at any instant and start within a tenth of a second."""

import multiprocessing
import os
import sys
from multiprocessing.process import BaseProcess
from pathlib import Path

# A process that has imported these modules is forked for each run.
_context = multiprocessing.get_context("forkserver") if sys.platform != "win32" else multiprocessing.get_context()
_PRELOADED = ["firstlight.training.fit", "torch.utils.tensorboard", "helpers.kills"]


def start(folder: Path, overrides: tuple[str, ...]) -> BaseProcess:
    """Start or resume the run in a folder, in a new process.

    Args:
        folder: the run folder.
        overrides: the config of a new run.
    """
    if hasattr(_context, "set_forkserver_preload"):
        _context.set_forkserver_preload(_PRELOADED)
    process = _context.Process(target=_run, args=(folder, overrides))
    process.start()
    return process


def _run(folder: Path, overrides: tuple[str, ...]) -> None:
    import torch

    from firstlight.config import RunConfig
    from firstlight.training.run import resume, train

    torch.set_num_threads(1)
    with open(os.devnull, "w") as sys.stdout:  # noqa: PTH123  # a name and not a path
        if (folder / "config.yaml").exists():
            resume(folder)
        else:
            train(RunConfig.from_overrides(*overrides), run_dir=folder)
