"""Process-wide settings of Lightning, torch and the C library."""

import ctypes
import logging
import os
import platform
import warnings

import lightning.fabric
import lightning.pytorch
import torch


def silence_lightning() -> None:
    """Suppress Lightning's notes on hardware and its hints for products."""
    for name in (lightning.pytorch.__name__, lightning.fabric.__name__):  # the import sets a level of its own
        logging.getLogger(name).setLevel(logging.WARNING)
    # Lightning 2.6 calls a function that torch 2.15 deprecates.
    warnings.filterwarnings("ignore", r"`isinstance\(treespec, LeafSpec\)` is deprecated", FutureWarning)
    warnings.filterwarnings("ignore", r"Found \d+ module\(s\) in eval mode")  # frozen modules


def speed_up_cuda_checks() -> None:
    """Use torch's own check for a GPU, which takes a microsecond, on machines without one.

    Optimizers check at every step. Lightning selects a slow check that does not initialize CUDA.
    """
    if not torch.cuda.is_available():
        os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "0"


def keep_freed_memory() -> None:
    """Let glibc keep the memory that a batch frees for the next batch, instead of returning it to the system.

    This holds for blocks of up to 32 MiB, the maximum of glibc's heap, and for 1 GiB in total.
    """
    if platform.libc_ver()[0] == "glibc":
        m_trim_threshold, m_mmap_threshold = -1, -3  # constants of malloc.h
        libc = ctypes.CDLL(None)
        libc.mallopt(m_mmap_threshold, 32 * 2**20)
        libc.mallopt(m_trim_threshold, 2**30)
