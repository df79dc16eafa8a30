"""Mistakes of all jobs are found before any is trained."""

import csv
from pathlib import Path
from typing import Any

import pytest

from firstlight.runs.sweeps import Job
from firstlight.training.sweeps.checking import check_jobs
from firstlight.training.sweeps.run import Mistakes, run_words
from helpers.projects import add_file
from helpers.runs import TINY


class Jobs:
    """Jobs that compute nothing."""

    def __init__(self) -> None:
        self.trained: list[Job] = []

    def __call__(self, job: Job) -> dict[str, Any]:
        self.trained.append(job)
        return {"status": "completed", "monitor": "val/loss", "monitor_mode": "min", "val/loss": 1.0}


def rows(path: Path) -> list[dict[str, str]]:
    with (path / "summary.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_all_mistakes_are_listed_before_any_training(tmp_path: Path) -> None:
    jobs = Jobs()
    words = [
        "model=linear,lenet,mlp",
        "optimizer.lr=1e-2,-1",
        "seed=1,2",
        "monitor=val/acuracy",
        "trainer.accelerator=cpu",
    ]
    with pytest.raises(Mistakes) as caught:
        run_words([*words, "data=iris"], tmp_path / "sweep", jobs)
    lines = str(caught.value).splitlines()
    assert lines[0] == "12 of 12 jobs cannot be trained, so none is."
    assert sorted(lines[1:]) == [
        "2 jobs (4, 5): model: must accept numbers, and LeNet does not; linear, mlp do.",
        "4 jobs (0, 1, 8, ...): monitor=val/acuracy: unknown metric, did you mean 'val/accuracy'?",
        "6 jobs (2, 3, 6, ...): optimizer.lr=-1: must be at least 0.",
    ]
    assert (jobs.trained, list(tmp_path.iterdir())) == ([], [])


def test_the_other_jobs_may_be_trained_all_the_same(tmp_path: Path) -> None:
    with pytest.raises(Mistakes, match=r"^1 of 2 jobs") as caught:
        run_words(["optimizer.lr=1e-2,-1"], tmp_path / "sweep", Jobs())
    assert str(caught.value).splitlines()[1:] == [
        "job 1 (optimizer.lr=-1): optimizer.lr=-1: must be at least 0.",
        "To train the others all the same: sweep.on_mistake=skip",
    ]


def test_mistakes_may_be_skipped_and_a_rehearsal_trains_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["model=linear,mlp", "optimizer.lr=1e-2,fast,-1", "sweep.on_mistake=skip"]
    result = run_words(words, tmp_path / "sweep", jobs := Jobs())
    assert [job.number for job in jobs.trained] == [0, 3]
    assert [row["status"] for row in rows(tmp_path / "sweep")] == ["completed"] * 2 + ["failed"] * 4
    assert not result.is_successful
    assert run_words(["model=linear,mlp", "sweep.dry_run=true"], tmp_path / "dry", jobs).folder is None
    assert capsys.readouterr().out.endswith("2 jobs can be trained; none is, because of sweep.dry_run=true.\n")
    with pytest.raises(Mistakes, match=r"sweep\.metric=val/f2: unknown metric"):
        run_words(["model=linear,mlp", "sweep.metric=val/f2", "sweep.dry_run=true"], tmp_path / "dry", jobs)
    with pytest.raises(Mistakes, match=r"sweep\.metric=test/loss: must be a metric of val"):
        run_words(["model=linear", "sweep.metric=test/loss", "sweep.method=tpe"], tmp_path / "dry", jobs)
    assert not (tmp_path / "dry").exists()


@pytest.mark.slow
def test_the_check_finds_the_modules_that_the_jobs_find(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    add_file(tmp_path, "random.py", "raise ImportError('not that of Python')")
    add_file(tmp_path, "mine.py", "from firstlight.networks import Linear as Network")
    checked = check_jobs([TINY, [*TINY, "model._target_=mine.Network"]], ("",))
    assert checked.mistakes == {1: "model._target_=mine.Network: the module 'mine' must be installed."}
