"""Sweeps whose jobs are functions: what is proposed, recorded and continued."""

import csv
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import optuna
import pytest

from firstlight.runs.sweeps import Job, SweepFolder
from firstlight.training.sweeps import loop
from firstlight.training.sweeps import run as sweeps
from firstlight.training.sweeps.checking import Checked
from firstlight.training.sweeps.composing import compose_job
from firstlight.training.sweeps.run import run_words

SAMPLED = ["optimizer.lr=tag(log,interval(1e-4,1e-1))", "model=linear,mlp"]


class Jobs:
    """Jobs that compute nothing: the best learning rate is 0.01. Remembers which were trained, in their order."""

    def __init__(self, interrupted_at: int | None = None) -> None:
        self.interrupted_at = interrupted_at
        self.trained: list[Job] = []

    def __call__(self, job: Job) -> dict[str, Any]:
        if job.number == self.interrupted_at:
            raise KeyboardInterrupt(15)
        self.trained.append(job)
        lr = job.config["optimizer"]["lr"]
        if lr == 1:
            raise ValueError("too fast")
        loss = math.log10(lr / 0.01) ** 2 + 0.01 * job.config["seed"]
        status = "diverged" if lr > 0.09 else "completed"
        return {
            "status": status,
            "monitor": "val/loss",
            "monitor_mode": "min",
            "val/loss": loss,
            "parameters": job.number,
        }


class Interleaved(Jobs):
    """Begins another sweep in the middle of its own third job."""

    def __init__(self, other: Callable[[], Any]) -> None:
        super().__init__()
        self.other = other

    def __call__(self, job: Job) -> dict[str, Any]:
        metrics = super().__call__(job)
        if len(self.trained) == 3:
            self.other()
        return metrics


@pytest.fixture(autouse=True)
def _builds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def check(jobs: Any, metrics: Any, **_: Any) -> Checked:
        modes = {name: "max" if name.endswith("accuracy") else "min" for name in metrics}
        return Checked((), modes, {0: compose_job(jobs[0])})

    monkeypatch.setattr(sweeps, "check_jobs", check)
    monkeypatch.setattr(loop, "compose_job", quickly_composed)


def quickly_composed(given: Sequence[str]) -> dict[str, Any]:
    """Return the two values that the jobs of these tests read."""
    found = dict(word.split("=") for word in given)
    return {"optimizer": {"lr": float(found.get("optimizer.lr", 1e-3))}, "seed": int(found.get("seed", 1))}


def values(path: Path) -> list[tuple[str, ...]]:
    return [record.overrides for record in SweepFolder.read(path).jobs]


def rows(path: Path) -> list[dict[str, str]]:
    with (path / "summary.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_grid_is_trained_in_its_order_and_ranked(tmp_path: Path) -> None:
    jobs = Jobs()
    result = run_words(["optimizer.lr=1e-3,1,1e-2", "seed=1,2"], tmp_path / "sweep", jobs)
    assert [job.number for job in jobs.trained] == [0, 1, 2, 3, 4, 5]
    assert jobs.trained[3].overrides == ("optimizer.lr=1", "seed=2")
    assert jobs.trained[3].config["optimizer"]["lr"] == 1
    assert jobs.trained[3].run_dir == tmp_path / "sweep" / "3"
    assert not result.is_successful
    found = rows(tmp_path / "sweep")
    assert [row["job"] for row in found] == ["4", "5", "0", "1", "2", "3"]
    assert [row["status"] for row in found] == ["completed"] * 4 + ["failed"] * 2
    assert found[4]["error"] == "too fast"


def test_further_values_may_be_words_too(tmp_path: Path) -> None:
    run_words(["seed=1,2", "sweep.space={optimizer.lr: '1e-3,1e-2'}"], tmp_path / "sweep", Jobs())
    expected = [(f"seed={seed}", f"optimizer.lr={lr}") for seed in (1, 2) for lr in ("0.001", "0.01")]
    assert values(tmp_path / "sweep") == expected


@pytest.mark.parametrize("method", ["tpe", "cmaes", "nsga2"])
def test_a_search_is_a_function_of_its_seed_and_goes_on_as_if_it_had_not_been_stopped(
    method: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*SAMPLED, f"sweep.method={method}", "sweep.trials=12"]
    whole = run_words(words, tmp_path / "whole", Jobs())
    with pytest.raises(KeyboardInterrupt) as caught:
        run_words(words, tmp_path / "stopped", Jobs(interrupted_at=5))
    assert caught.value.args == (15,)
    assert f"-m resume={tmp_path / 'stopped'}" in capsys.readouterr().out
    assert [record.state for record in SweepFolder.read(tmp_path / "stopped").jobs] == ["completed"] * 5 + [
        "interrupted"
    ]
    jobs = Jobs()
    run_words([f"resume={tmp_path / 'stopped'}", "sweep.jobs=1"], None, jobs)
    assert [job.number for job in jobs.trained] == [5, 6, 7, 8, 9, 10, 11]
    assert [job.resumes for job in jobs.trained] == [True] + [False] * 6
    assert values(tmp_path / "stopped") == values(tmp_path / "whole")
    assert len(set(values(tmp_path / "whole"))) > (5 if method == "nsga2" else 11)  # which repeats what was good
    assert whole.folder is not None
    other = run_words([*words, "sweep.seed=2"], tmp_path / "other", Jobs())
    assert other.folder is not None
    assert values(tmp_path / "other") != values(tmp_path / "whole")


def test_tpe_learns_and_a_search_can_be_prolonged(tmp_path: Path) -> None:
    words = ["optimizer.lr=tag(log,interval(1e-6,8e-2))", "sweep.method=tpe", "sweep.trials=20"]
    run_words(words, tmp_path / "sweep", Jobs())
    jobs = Jobs()
    run_words([f"resume={tmp_path / 'sweep'}", "sweep.add_trials=5"], None, jobs)
    assert [job.number for job in jobs.trained] == [20, 21, 22, 23, 24]
    distances = [abs(math.log10(job.config["optimizer"]["lr"] / 0.01)) for job in jobs.trained]
    assert sorted(distances)[2] < 0.5  # of values up to 4 away
    again = Jobs()
    run_words([f"resume={tmp_path / 'sweep'}"], None, again)
    assert again.trained == []


def test_a_job_whose_end_the_study_does_not_know_is_not_trained_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from firstlight.training.sweeps.search import Search

    class Killed(BaseException):
        pass

    def record(self: Search, ending: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):  # noqa: PT012
        patch.setattr(Search, "record", record)
        run_words(["seed=1,2,3", "optimizer.lr=1e-3"], tmp_path / "sweep", Jobs())
    jobs = Jobs()
    run_words([f"resume={tmp_path / 'sweep'}"], None, jobs)
    assert [job.number for job in jobs.trained] == [1, 2]
    assert len(rows(tmp_path / "sweep")) == 3


def test_a_grid_whose_sweep_was_killed_while_it_was_planned_is_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    enqueue, left = optuna.Study.enqueue_trial, [2]

    def killed(self: optuna.Study, *arguments: Any, **options: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise RuntimeError("killed")
        enqueue(self, *arguments, **options)

    with monkeypatch.context() as patch, pytest.raises(RuntimeError):  # noqa: PT012
        patch.setattr(optuna.Study, "enqueue_trial", killed)
        run_words(["seed=1,2,3,4"], tmp_path / "sweep", Jobs())
    jobs = Jobs()
    run_words([f"resume={tmp_path / 'sweep'}"], None, jobs)
    assert [job.overrides for job in jobs.trained] == [(f"seed={seed}",) for seed in (1, 2, 3, 4)]


@pytest.mark.parametrize("storage", ["study.log", pytest.param("sqlite", marks=pytest.mark.slow)])
def test_two_sweeps_work_on_one_study_and_train_no_trial_twice(storage: str, tmp_path: Path) -> None:
    place = f"sqlite:///{tmp_path}/study.db" if storage == "sqlite" else str(tmp_path / storage)
    words = [*SAMPLED, "sweep.method=random", "sweep.trials=12", f"sweep.storage={place}", "sweep.study=both"]
    jobs = Jobs()
    first = run_words(words, tmp_path / "0", Interleaved(lambda: run_words(words, tmp_path / "1", jobs)))
    numbers = [record.number for name in "01" for record in SweepFolder.read(tmp_path / name).jobs]
    assert sorted(numbers) == list(range(12))
    assert first.is_successful
    assert [job.number for job in jobs.trained] == list(range(3, 12))
    with pytest.raises(ValueError, match=r"^sweep\.study=both: must be a study of the same words"):
        run_words(["seed=1,2", *words[-2:]], tmp_path / "2", Jobs())


def test_several_metrics_are_improved_together(tmp_path: Path) -> None:
    words = [*SAMPLED, "sweep.method=nsga2", "sweep.trials=6", "sweep.metric=[val/loss,parameters]"]
    run_words(words, tmp_path / "sweep", Jobs())
    storage = optuna.storages.JournalStorage(
        optuna.storages.journal.JournalFileBackend(str(tmp_path / "sweep/study.log"))
    )
    study = optuna.load_study(study_name="sweep", storage=storage)
    assert [len(trial.values or []) for trial in study.trials if trial.state.name == "COMPLETE"] != []
    assert all(trial.values[1] == trial.number for trial in study.trials if trial.values)
    assert json.loads((tmp_path / "sweep/sweep.json").read_text())["metrics"] == {
        "val/loss": "min",
        "parameters": "min",
    }


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["sweep.trials=3", "seed=1,2"], r"^sweep\.trials=3: must be left out of a grid"),
        (["sweep.method=tep"], r"^sweep\.method=tep: unknown method, did you mean 'tpe'"),
        (["sweep.method=random,tpe"], r"^sweep\.method=random,tpe: must be one value"),
        (["sweep.jobs=0"], r"^sweep\.jobs=0: must be at least 1"),
        (["sweep.pruner=median", "sweep.method=nsga2", "sweep.metric=[a,b]"], r"^sweep\.pruner=median: must be none"),
        (["sweep.options={a: 1}"], r"^sweep\.options=\{'a': 1\}: must be left out with sweep\.launcher=local"),
        (["sweep.launcher=lokal"], r"^sweep\.launcher=lokal: unknown launcher, did you mean 'local'"),
        (["seed=range(0,200)", "batch=range(0,200)"], r"^sweep\.method=grid: must be for at most 10,000 jobs"),
        (["sweep.pruner=median", "kfold=2"], r"^sweep\.pruner=median: must be none with kfold"),
        (["resume=nowhere"], r"^resume=nowhere: must be the folder of a sweep"),
        (["resume=nowhere", "seed=3"], r"^seed=3: must be left out, because resume= continues a sweep"),
        (["sweep.storage=sqlite:////no/such/folder/x.db"], r"^sweep\.storage=sqlite:////no/such/folder/x\.db: cannot"),
    ],
)
def test_settings_that_cannot_be_followed(words: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        run_words(words, tmp_path / "sweep", Jobs())


def test_a_grid_that_is_continued_gets_no_further_trials(tmp_path: Path) -> None:
    run_words(["seed=1,2"], tmp_path / "sweep", Jobs())
    with pytest.raises(ValueError, match=r"^sweep\.add_trials=3: must be 0 with a grid"):
        run_words([f"resume={tmp_path / 'sweep'}", "sweep.add_trials=3"], None, Jobs())
