"""What Lightning and torch are told before they begin."""

import ctypes
import logging
import os
import platform
import warnings

import lightning.fabric
import lightning.pytorch
import torch


def silence_lightning() -> None:
    """Lightning's notes on hardware and hints for products are not what a user looks for."""
    for name in (lightning.pytorch.__name__, lightning.fabric.__name__):  # imported: that sets a level of its own
        logging.getLogger(name).setLevel(logging.WARNING)
    # Lightning 2.6 has not caught up with torch 2.15 here.
    warnings.filterwarnings("ignore", r"`isinstance\(treespec, LeafSpec\)` is deprecated", FutureWarning)
    warnings.filterwarnings("ignore", r"Found \d+ module\(s\) in eval mode")  # the frozen ones


def speed_up_cuda_checks() -> None:
    """Optimizers ask at every step whether there is a GPU; Lightning has made that answer slow, to keep CUDA untouched.

    Where there is none, nothing can be touched, and torch's own answer takes a microsecond.
    """
    if not torch.cuda.is_available():
        os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "0"


def keep_freed_memory() -> None:
    """What a batch has freed serves the next one: glibc would give it back to the system, and ask for it page by page.

    Blocks of up to 32 MiB, the most that glibc's heap takes, and up to 1 GiB of them.
    """
    if platform.libc_ver()[0] == "glibc":
        m_trim_threshold, m_mmap_threshold = -1, -3  # their numbers in malloc.h
        libc = ctypes.CDLL(None)
        libc.mallopt(m_mmap_threshold, 32 * 2**20)
        libc.mallopt(m_trim_threshold, 2**30)
