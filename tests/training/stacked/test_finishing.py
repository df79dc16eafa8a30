"""The reports of stacked runs, in several processes."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from firstlight.training.stacked import finishing


class Reported:
    """A replica whose report is a function."""

    def __init__(self, finish: Callable[[], Any]) -> None:
        self.finish = finish
        self.trainee = SimpleNamespace(flops=1)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems report in one process")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # these replicas use no threads
def test_processes_divide_the_reports_and_one_that_is_killed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finishing, "_num_processes", lambda replica: 2)

    def replica(name: str) -> Any:
        return Reported(lambda: (tmp_path / name).write_text(str(os.getpid())))

    finishing.finish_all([replica(name) for name in "abc"])
    a, b, c = (int((tmp_path / name).read_text()) for name in "abc")
    assert a == c
    assert len({a, b, os.getpid()}) == 3
    with pytest.raises(ChildProcessError, match="ended with exit code 3"):
        finishing.finish_all([replica("d"), Reported(lambda: os._exit(3))])  # type: ignore[list-item]
    assert (tmp_path / "d").exists()
