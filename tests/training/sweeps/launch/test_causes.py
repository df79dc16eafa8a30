from pathlib import Path

import pytest

from firstlight.training.sweeps.launch import causes, entry
from firstlight.training.sweeps.launch.causes import cause_of


def test_a_kill_by_the_system_differs_from_other_kills(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(causes, "out_of_memory_kills", lambda: 4)
    assert cause_of(-9, tmp_path / "log", kills_before=4) == ("killed", "killed (SIGKILL)")
    text = "out of memory: the system has killed the process"
    assert cause_of(-9, tmp_path / "log", kills_before=3) == ("out_of_memory", text)
    assert cause_of(-11, tmp_path / "log", kills_before=3) == ("killed", "segmentation fault (SIGSEGV)")
    assert cause_of(1, tmp_path / "log", kills_before=3) == ("failed", "ended with exit code 1")


@pytest.mark.parametrize("line", ["what():  std::bad_alloc", "memory allocation of 8589934592 bytes failed"])
def test_a_library_that_aborts_without_memory_is_understood(line: str, tmp_path: Path) -> None:
    (tmp_path / "log").write_text(f"first\n{line}\n")
    assert cause_of(-6, tmp_path / "log", 10**9) == ("out_of_memory", f"out of memory\n  first\n  {line}")
    (tmp_path / "log").write_text("assertion failed\n")
    assert cause_of(-6, tmp_path / "log", 10**9) == ("killed", "aborted (SIGABRT)\n  assertion failed")


def test_only_the_end_of_a_long_log_is_shown(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("".join(f"line {number}\n\n" for number in range(9999)))
    _, cause = cause_of(3, tmp_path / "log", 0)
    assert cause.splitlines()[1:] == [f"  line {number}" for number in range(9994, 9999)]


def test_failed_allocations_of_torch_are_recognized() -> None:
    import torch

    with pytest.raises(RuntimeError) as failed:
        torch.empty(2**60, dtype=torch.uint8)
    assert entry._is_out_of_memory(failed.value)
    assert entry._is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB."))
    caused = ValueError("data.batch_size=9999: must be smaller")
    caused.__cause__ = MemoryError()
    assert entry._is_out_of_memory(caused)
    assert not entry._is_out_of_memory(RuntimeError("shapes do not fit"))


def test_the_kills_of_the_system_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(causes, "_cgroup", lambda: tmp_path)
    (tmp_path / "memory.events").write_text("low 0\noom 3\noom_kill 2\noom_group_kill 0\n")
    assert causes.out_of_memory_kills() == 2
