"""Process-wide settings of Lightning, torch and the C library."""

import ctypes
import functools
import logging
import os
import platform
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import lightning.fabric
import lightning.pytorch
import torch
from lightning.fabric.utilities import registry

from firstlight.log import logger

_TABLES = ("lightning.pytorch.profilers.profiler", "lightning.pytorch.callbacks.model_summary")
_LOGGERS = (lightning.pytorch.__name__, lightning.fabric.__name__, *_TABLES)
_CUDA_CHECK = "PYTORCH_NVML_BASED_CUDA_CHECK"
_CUBLAS = "CUBLAS_WORKSPACE_CONFIG"


@contextmanager
def restored_settings() -> Iterator[None]:
    """Undo at the end of the block what the functions below and a Trainer change, for the program that trains."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    before = [(each.level, each.propagate, each.handlers) for each in loggers]
    cuda_check = os.environ.get(_CUDA_CHECK)
    try:
        with warnings.catch_warnings(), _restored_determinism():
            yield
    finally:
        for each, (level, propagate, handlers) in zip(loggers, before, strict=True):
            for handler in each.handlers:
                if handler not in handlers:
                    handler.close()
            each.setLevel(level)
            each.propagate, each.handlers = propagate, handlers
        os.environ.pop(_CUDA_CHECK, None)
        if cuda_check is not None:
            os.environ[_CUDA_CHECK] = cuda_check


@contextmanager
def _restored_determinism() -> Iterator[None]:
    """Restore at the end of the block which algorithms torch uses."""
    before = _determinism()
    benchmark, workspace = torch.backends.cudnn.benchmark, os.environ.get(_CUBLAS)
    try:
        yield
    finally:
        if _determinism() != before:  # torch imports its compiler to set them, which takes seconds
            torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        torch.backends.cudnn.benchmark = benchmark
        os.environ.pop(_CUBLAS, None)
        if workspace is not None:
            os.environ[_CUBLAS] = workspace


def _determinism() -> tuple[bool, bool]:
    return torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()


def silence_lightning() -> None:
    """Suppress Lightning's messages about hardware and products, and four warnings that do not concern the user."""
    for name in (lightning.pytorch.__name__, lightning.fabric.__name__):  # Lightning sets the levels when imported
        logging.getLogger(name).setLevel(logging.WARNING)
    # Lightning 2.6 calls a function that torch deprecates in version 2.15.
    warnings.filterwarnings("ignore", r"`isinstance\(treespec, LeafSpec\)` is deprecated", FutureWarning)
    warnings.filterwarnings("ignore", r"Found \d+ module\(s\) in eval mode")  # frozen modules are meant to be
    # The run writes its metrics once an epoch, with whatever logger.
    warnings.filterwarnings("ignore", r"The number of training batches \(\d+\) is smaller than the logging interval")
    warnings.filterwarnings("ignore", r"(GPU|TPU) available but not used")  # trainer.accelerator=cpu is the user's wish


@contextmanager
def entry_points_once() -> Iterator[None]:
    """Let the Trainers that are built in the block look for callbacks of other packages once: this takes 50 ms."""
    look_up = getattr(registry, "entry_points", None)  # an import of Lightning 2.6
    if look_up is not None:
        vars(registry)["entry_points"] = functools.cache(look_up)
    try:
        yield
    finally:
        if look_up is not None:
            vars(registry)["entry_points"] = look_up


class _ToOurLog(logging.Handler):
    """Passes records on to the log of the run."""

    def emit(self, record: logging.LogRecord) -> None:
        logger.handle(record)


def log_tables(folder: Path) -> None:
    """Write the tables of Lightning's profilers and model summaries to the log of the run, hence to the screen too.

    Args:
        folder: the run folder, in which the file profile.txt gets the tables of profilers.
    """
    profile = logging.FileHandler(folder / "profile.txt", encoding="utf-8", delay=True)  # made by the first table
    _log("lightning.pytorch.profilers.profiler", [_ToOurLog(), profile])
    _log("lightning.pytorch.callbacks.model_summary", [_ToOurLog()])


def _log(name: str, handlers: list[logging.Handler]) -> None:
    source = logging.getLogger(name)
    source.setLevel(logging.INFO)
    source.propagate = False
    source.handlers = handlers


def speed_up_cuda_checks() -> None:
    """Select torch's default check for a GPU, which takes a microsecond, on machines without one.

    Optimizers check at every step. Lightning selects a slower check, which does not initialize CUDA.
    """
    if not torch.cuda.is_available():
        os.environ[_CUDA_CHECK] = "0"


def keep_freed_memory() -> None:
    """Let glibc keep freed memory for the next batch, instead of returning it to the system.

    glibc keeps blocks of up to 32 MiB, the maximum for its heap, and 1 GiB in total.
    """
    if platform.libc_ver()[0] == "glibc":
        m_trim_threshold, m_mmap_threshold = -1, -3  # constants of malloc.h
        libc = ctypes.CDLL(None)
        libc.mallopt(m_mmap_threshold, 32 * 2**20)
        libc.mallopt(m_trim_threshold, 2**30)
