import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest

from firstlight.runs.sweeps.job import Ending, Job
from firstlight.training.sweeps.launch import Launcher, Limits, end_all
from firstlight.training.sweeps.launch.local import CAN_FORK, local
from firstlight.training.sweeps.launch.warm import Warm
from helpers.sweep_jobs import await_end, await_file, fails, make_job, nothing, work

pytestmark = pytest.mark.skipif(not CAN_FORK, reason="jobs are forked on Linux only")
MEMORY = 2**29


def run(launcher: Launcher, jobs: Sequence[Job]) -> dict[int, Ending]:
    """Run jobs as the loop of a sweep does."""
    waiting, running, endings = list(jobs), 0, {}
    while waiting or running:
        while waiting and running < launcher.slots:
            launcher.start(waiting.pop(0))
            running += 1
        for ending in launcher.wait(1.0):
            endings[ending.number] = ending
            running -= 1
    return endings


@pytest.fixture(scope="module")
def launcher() -> Iterator[Launcher]:
    opened = local(2, Limits(memory=MEMORY), uses_gpus=False, work=work, prepare=nothing)
    with closing(opened):
        yield opened


def test_each_job_ends_with_its_own_cause_and_the_others_go_on(launcher: Launcher, tmp_path: Path) -> None:
    bug = f"ZeroDivisionError ({Path(work.__code__.co_filename)}"
    expected = {
        "completed": ("completed", ""),
        "raises": ("failed", "optimizer.lr=-1: must be positive."),
        "has a bug": ("failed", bug),
        "exits": ("failed", "ended with exit code 3\n  the last words"),
        "leaves": ("failed", "ended with exit code 1\n  a library calls sys.exit"),
        "stops early": ("failed", "ended with exit code 0 and without a result"),
        "kills itself": ("killed", "killed (SIGKILL)"),
        "segfaults": ("killed", "segmentation fault (SIGSEGV)\n  Fatal Python error: Segmentation fault\n"),
        "allocates": ("out_of_memory", f"out of memory (sweep.memory={MEMORY / 2**30:g})"),
        "diverges": ("diverged", "the training has diverged"),
        "is pruned": ("pruned", ""),
    }
    ends = [*expected, "completed"]
    endings = run(launcher, [make_job(tmp_path, number, end=end) for number, end in enumerate(ends)])
    assert sorted(endings) == list(range(len(ends)))
    for number, end in enumerate(ends):
        state, cause = expected[end]
        assert (endings[number].state, endings[number].cause[: len(cause)]) == (state, cause), end
        assert bool(cause) == bool(endings[number].cause), end
    assert endings[ends.index("is pruned")].metrics == {"status": "pruned", "val/loss": 2.0}
    log = tmp_path / "logs" / f"{ends.index('has a bug')}.log"
    assert "Traceback" in log.read_text()
    assert str(log) in endings[ends.index("has a bug")].cause


def test_each_job_gets_its_own_environment(launcher: Launcher, tmp_path: Path) -> None:
    job = make_job(tmp_path, 0, end="completed")
    job.environment["ADDED"] = "yes"
    assert run(launcher, [job])[0].metrics["ADDED"] == "yes"
    assert run(launcher, [make_job(tmp_path, 1, end="completed")])[1].metrics["ADDED"] is None


def test_stopped_jobs_end_as_interrupted_once_they_have_saved(launcher: Launcher, tmp_path: Path) -> None:
    for number in (0, 1):
        launcher.start(make_job(tmp_path, number, end="waits"))
        await_file(tmp_path / str(number) / "pid")
    endings = end_all(launcher, [0, 1])
    assert [(ending.state, ending.cause) for ending in endings] == [("interrupted", "interrupted")] * 2
    assert (tmp_path / "0" / "saved").exists()
    assert run(launcher, [make_job(tmp_path, 2, end="completed")])[2].state == "completed"


def test_jobs_on_two_pretended_gpus_use_one_each_and_follow_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIRSTLIGHT_PRETENDED_GPUS", "2")
    seconds = (0.9, 0.1, 0.1, 0.1)  # the second GPU trains three jobs while the first trains one
    with closing(local(work=work, prepare=nothing)) as launcher:
        assert launcher.slots == 2
        jobs = [make_job(tmp_path, number, end="completed", seconds=each) for number, each in enumerate(seconds)]
        endings = run(launcher, jobs)
    found = [endings[number].metrics for number in range(4)]
    assert [metrics["CUDA_VISIBLE_DEVICES"] for metrics in found] == ["0", "1", "1", "1"]
    assert all(before["ended"] <= after["began"] for before, after in pairwise(found[1:]))
    assert found[3]["began"] < found[0]["ended"]


def test_a_killed_parent_takes_its_jobs_along_and_the_next_job_gets_another(tmp_path: Path) -> None:
    launcher = local(1, uses_gpus=False, work=work, prepare=nothing)
    assert isinstance(launcher, Warm)
    with closing(launcher):
        launcher.start(make_job(tmp_path, 0, end="waits"))
        pid = int(await_file(tmp_path / "0" / "pid").read_text())
        os.kill(launcher._process.pid, signal.SIGKILL)
        (ending,) = launcher.wait()
        assert (ending.number, ending.state) == (0, "killed")
        await_end(pid)
        assert run(launcher, [make_job(tmp_path, 1, end="completed")])[1].state == "completed"


SWEEP = """
import sys, time
from pathlib import Path
from firstlight.training.sweeps.launch.local import local
from helpers.sweep_jobs import await_end, await_file, fails, make_job, nothing, work
launcher = local(1, uses_gpus=False, work=work, prepare=nothing)
launcher.start(make_job(Path(sys.argv[1]), 0, end="waits"))
print(launcher._process.pid, flush=True)
time.sleep(99)
"""


def test_no_process_survives_a_killed_sweep(tmp_path: Path) -> None:
    paths = os.pathsep.join(sys.path)
    sweep = subprocess.Popen(
        [sys.executable, "-c", SWEEP, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert sweep.stdout is not None
    parent = int(sweep.stdout.readline())
    job = int(await_file(tmp_path / "0" / "pid").read_text())
    sweep.kill()
    sweep.communicate()
    await_end(job)
    await_end(parent)
    assert not (tmp_path / "0" / "saved").exists()


def test_a_parent_that_cannot_import_the_training_is_reported(capfd: pytest.CaptureFixture[str]) -> None:
    with (
        closing(local(1, uses_gpus=False, work=work, prepare=fails)) as launcher,
        pytest.raises(ChildProcessError, match="the parent of the jobs ended with exit code 1"),
    ):
        _ = launcher.slots
    assert "ImportError: no training here" in capfd.readouterr().err
