import ctypes
import logging
import os
import platform
import warnings

import pytest
import torch

from firstlight.training.environment import keep_freed_memory, silence_lightning, speed_up_cuda_checks


def test_lightning_logs_warnings_and_no_notes() -> None:
    with warnings.catch_warnings():
        silence_lightning()
    for name in ("lightning.pytorch", "lightning.fabric"):
        assert logging.getLogger(name).level == logging.WARNING


@pytest.mark.parametrize(("has_gpu", "check"), [(False, "0"), (True, "1")])
def test_the_check_for_a_gpu_changes_only_on_machines_without_one(
    has_gpu: bool, check: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: has_gpu)
    speed_up_cuda_checks()
    assert os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] == check


def test_glibc_accepts_the_settings_of_its_heap(monkeypatch: pytest.MonkeyPatch) -> None:
    accepted: list[int] = []

    class Library:
        def __init__(self, _name: None) -> None:
            self.library = real_class(None)

        def mallopt(self, parameter: int, value: int) -> None:
            accepted.append(self.library.mallopt(parameter, value))

    real_class = ctypes.CDLL
    monkeypatch.setattr(ctypes, "CDLL", Library)
    keep_freed_memory()
    assert accepted == ([1, 1] if platform.libc_ver()[0] == "glibc" else [])
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    keep_freed_memory()
    assert len(accepted) <= 2
