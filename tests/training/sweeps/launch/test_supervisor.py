from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from firstlight.training.sweeps.launch import Limits, supervisor
from firstlight.training.sweeps.launch.supervisor import Supervisor
from helpers.sweep_jobs import await_end, make_job, work


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervisor]:
    monkeypatch.setattr(supervisor, "_SECONDS_TO_END", 0.3)
    with closing(Supervisor(work, [{"OMP_NUM_THREADS": "3"}], Limits(timeout=3))) as opened:
        yield opened


def test_a_job_that_hangs_is_ended_with_its_children(hasty: Supervisor, tmp_path: Path) -> None:
    hasty.start(make_job(tmp_path, 4, end="hangs"))
    (ending,) = hasty.wait()
    assert (ending.number, ending.state) == (4, "timeout")
    assert ending.cause == "timeout: longer than sweep.timeout=3"
    assert 3 < ending.seconds < 6
    await_end(int((tmp_path / "4" / "child").read_text()))


def test_a_process_of_its_own_has_the_environment_of_its_slot(hasty: Supervisor, tmp_path: Path) -> None:
    hasty.start(make_job(tmp_path, 0, end="completed"))
    (ending,) = hasty.wait()
    assert (ending.state, ending.metrics["OMP_NUM_THREADS"]) == ("completed", "3")
    hasty.start(make_job(tmp_path, 1, end="kills itself"))
    assert hasty.wait()[0].cause == "killed (SIGKILL)"


def test_a_process_that_cannot_start_fails_its_job_only(tmp_path: Path) -> None:
    def start(*_: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    with closing(Supervisor(work, [{}], Limits(), start)) as launcher:  # type: ignore[arg-type]
        launcher.start(make_job(tmp_path, 0, end="completed"))
        (ending,) = launcher.wait()
    assert ending.state == "failed"
    assert ending.cause == "cannot start a process ([Errno 11] Resource temporarily unavailable)"
