from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from firstlight.config.compose import compose, to_plain
from firstlight.runs.sweeps.job import Job
from firstlight.training.run import train
from firstlight.training.sweeps.launch import Launcher
from firstlight.training.sweeps.launch.local import CAN_FORK, local
from helpers.runs import TINY, history, same_weights
from helpers.sweep_jobs import await_file, count_imports

pytestmark = pytest.mark.skipif(not CAN_FORK, reason="jobs are forked on Linux only")


@pytest.fixture(scope="module")
def launcher() -> Iterator[Launcher]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        with closing(local(1, uses_gpus=False, work=count_imports)) as opened:
            yield opened


def job(tmp_path: Path, number: int, *words: str, resumes: bool = False) -> Job:
    config = to_plain(compose(*TINY, "figures=false", *words))
    return Job(number, words, config, tmp_path / str(number), tmp_path / "logs" / f"{number}.log", resumes)


def test_a_forked_run_is_that_of_a_process_of_its_own(launcher: Launcher, tmp_path: Path) -> None:
    launcher.start(job(tmp_path, 0, "figures=true"))
    (ending,) = launcher.wait()
    assert (ending.state, ending.cause) == ("completed", "")
    assert ending.metrics["run_dir"] == str(tmp_path / "0")
    assert ending.metrics["threads of the parent"] == 1  # others would be missing in the job, which would wait for them
    assert ending.metrics["modules"] < 20  # all others are those of the parent
    assert "epoch 2/2" in (tmp_path / "logs" / "0.log").read_text()
    alone = train(compose(*TINY, "figures=false"), run_dir=tmp_path / "alone")
    assert alone["test/accuracy"] == ending.metrics["test/accuracy"]
    assert same_weights(tmp_path / "0", tmp_path / "alone")


def test_a_run_that_diverges_and_one_that_is_wrong_say_so(launcher: Launcher, tmp_path: Path) -> None:
    launcher.start(job(tmp_path, 0, "optimizer.lr=1e30", "optimizer=sgd"))
    (ending,) = launcher.wait()
    assert (ending.state, ending.cause) == ("diverged", "the training has diverged")
    assert ending.metrics["status"] == "diverged"
    launcher.start(job(tmp_path, 1, "data.batch_size=0"))
    (ending,) = launcher.wait()
    assert ending.state == "failed"
    assert ending.cause.startswith("data.batch_size=0: must be")


def test_a_stopped_run_goes_on_where_it_was(launcher: Launcher, tmp_path: Path) -> None:
    launcher.start(job(tmp_path, 0, "trainer.max_epochs=4000"))
    checkpoint = await_file(tmp_path / "0" / "checkpoints" / "last.ckpt")
    launcher.stop(0)
    (ending,) = launcher.wait()
    assert (ending.state, ending.cause) == ("interrupted", "interrupted")
    epochs, saved = len(history(tmp_path / "0")), checkpoint.read_bytes()
    launcher.start(job(tmp_path, 0, resumes=True))
    while checkpoint.read_bytes() == saved:
        assert launcher.wait(0.02) == []
    launcher.stop(0)
    launcher.wait()
    assert len(history(tmp_path / "0")) >= epochs
    assert (tmp_path / "logs" / "0.log").read_text().count("   1/4000  train/loss") == 1


def test_a_run_that_has_ended_before_the_sweep_noted_it_is_not_repeated(launcher: Launcher, tmp_path: Path) -> None:
    for resumes in (True, True):  # the first finds no run, and starts one
        launcher.start(job(tmp_path, 0, resumes=resumes))
        (ending,) = launcher.wait()
        assert ending.state == "completed"
    assert (tmp_path / "logs" / "0.log").read_text().count("epoch 2/2") == 1


@pytest.mark.slow
def test_a_job_may_use_several_processes(launcher: Launcher, tmp_path: Path) -> None:
    launcher.start(job(tmp_path, 0, "trainer.devices=2"))
    (ending,) = launcher.wait()
    assert (ending.state, ending.cause) == ("completed", "")
