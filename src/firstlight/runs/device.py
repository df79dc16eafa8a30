"""Device and precision for evaluation and prediction."""

import contextlib
from contextlib import AbstractContextManager

import torch

from firstlight.checks import choose
from firstlight.config.checking.trainer import ACCELERATORS


def pick_device(accelerator: str) -> torch.device:
    """Return the CPU or the accelerator of this machine; `auto` prefers the accelerator.

    Raises:
        ValueError: the machine does not have the accelerator, or its name is unknown.
    """
    choose("accelerator", accelerator, ACCELERATORS, "accelerator")
    found = torch.accelerator.current_accelerator(check_available=True) if accelerator != "cpu" else None
    if accelerator not in ("auto", "cpu") and (found is None or accelerator not in ("gpu", found.type)):
        raise ValueError(f"accelerator={accelerator}: must be auto or cpu, because torch does not find this device.")
    return found or torch.device("cpu")


def mixed_precision(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """Return a context that computes with a `trainer.precision`, such as "bf16-mixed"."""
    dtypes = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}
    if precision not in dtypes:
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=dtypes[precision])
