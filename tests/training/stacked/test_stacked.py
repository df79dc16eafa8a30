"""Runs trained at once: each equals its run alone, in its metrics, its weights and its folder."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import firstlight as fl
from firstlight.config import RunConfig
from firstlight.runs.evaluate import evaluate
from firstlight.runs.sweeps import Ending, Job, SweepFolder
from firstlight.training.run import train
from firstlight.training.stacked import train_stacked
from firstlight.training.stacked.replica import Replica
from firstlight.training.sweeps.launch import end_all
from firstlight.training.sweeps.run import Mistakes, run_words
from firstlight.training.sweeps.stacking import Stacking

QUICK = ("trainer.max_epochs=2", "trainer.accelerator=cpu", "logger=none", "data.batch_size=128")
CNN = ("model=cnn", "model.filters=[6,8]", "model.hidden_sizes=[16]")  # with batch normalisation and dropout
VARIED = (("seed=1", "optimizer.lr=1e-3"), ("seed=2", "optimizer.lr=1e-3"), ("seed=1", "optimizer.lr=5e-3"))


def configs(*words: str, varied: tuple[tuple[str, ...], ...] = VARIED) -> list[RunConfig]:
    return [RunConfig.from_overrides(*QUICK, *words, *each) for each in varied]


def numbers(metrics: dict[str, Any]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if "/" in name and not name.startswith("seconds")}


def weights(run_dir: str, checkpoint: str) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(f"{run_dir}/checkpoints/{checkpoint}.ckpt")["state_dict"]
    return state


@pytest.mark.parametrize(
    "words",
    [
        ("model=mlp", "optimizer.decay_biases_and_norms=false"),
        (*CNN, "augment=moderate", "optimizer=nesterov", "scheduler=plateau"),
        ("data=diabetes", "model=mlp", "optimizer=adam", "trainer.max_steps=5"),
    ],
    ids=["mlp", "cnn", "regression"],
)
def test_each_replica_equals_its_run_alone(tmp_path: Path, words: tuple[str, ...]) -> None:
    runs = configs(*words)
    together = train_stacked(runs, [tmp_path / f"stacked{i}" for i in range(3)])
    for place, config in enumerate(runs):
        alone = train(config, tmp_path / f"alone{place}")
        found = together[place]
        assert found.keys() == alone.keys()
        assert numbers(found) == pytest.approx(numbers(alone), rel=1e-4, abs=1e-5)
        assert (found["epoch"], found["status"]) == (alone["epoch"], "completed")
        for checkpoint in ("best", "last"):
            expected = weights(alone["run_dir"], checkpoint)
            torch.testing.assert_close(weights(found["run_dir"], checkpoint), expected, atol=1e-5, rtol=1e-4)
        files = {path.name for path in Path(alone["run_dir"]).rglob("*")}
        assert {path.name for path in Path(found["run_dir"]).rglob("*")} == files
        rows, expected_rows = fl.Run(found["run_dir"]).history, fl.Run(alone["run_dir"]).history
        assert rows["step"].to_list() == expected_rows["step"].to_list()
        assert rows["lr"].to_list() == pytest.approx(expected_rows["lr"].to_list())


def test_a_replica_that_diverges_or_loses_patience_ends_alone(tmp_path: Path) -> None:
    varied = (("optimizer.lr=1e30",), ("optimizer.lr=0.1",), ("optimizer.lr=0.0",))
    words = ("model=mlp", "optimizer=momentum", "patience=1", "scheduler=constant", "trainer.max_epochs=4")
    runs = configs(*words, varied=varied)
    diverged, learned, stopped = train_stacked(runs, [tmp_path / str(i) for i in range(3)])
    assert [each["status"] for each in (diverged, learned, stopped)] == ["diverged", "completed", "completed"]
    assert [len((tmp_path / str(i) / "metrics.csv").read_text().splitlines()) for i in (1, 2)] == [5, 3]
    assert "loss is NaN" in (tmp_path / "0" / "train.log").read_text()
    assert "NaN" not in (tmp_path / "1" / "train.log").read_text()
    assert numbers(learned) == pytest.approx(numbers(train(runs[1], tmp_path / "alone")), rel=1e-4)


def test_a_stopped_stack_begins_again_and_ended_runs_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from firstlight.training.stacked.fit import StackedFit

    def interrupt(fit: StackedFit, epoch: int) -> None:
        if epoch == 1:
            raise KeyboardInterrupt
        whole(fit, epoch)

    whole = StackedFit._train_epoch
    runs, folders = configs("model=linear"), [tmp_path / str(i) for i in range(3)]
    with monkeypatch.context() as patch:
        patch.setattr(StackedFit, "_train_epoch", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train_stacked(runs, folders)
    assert json.loads((folders[0] / "metrics.json").read_text())["status"] == "interrupted"
    first = train_stacked(runs, folders)
    assert numbers(first[1]) == pytest.approx(numbers(train(runs[1], tmp_path / "alone")), rel=1e-4)
    assert train_stacked(runs, folders) == first
    assert evaluate(folders[1])["test/accuracy"] == pytest.approx(first[1]["test/accuracy"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("averaging=ema",), "averaging=EMA: must be left out"),
        (("compile=true",), "compile=true: must be left out"),
        (("trainer.gradient_clip_val=1",), "trainer.gradient_clip_val=1: must be left out"),
        (("task.l1=0.1",), "task.l1=0.1: must be left out"),
        (("optimizer=muon",), "must be false with Muon; stacked are SGD, Adam"),
        (("model=autoencoder",), "must be false with task=reconstruction"),
    ],
)
def test_what_cannot_be_stacked_is_named(tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        train_stacked(configs(*words, varied=VARIED[:2]), [tmp_path / "0", tmp_path / "1"])
    assert not list(tmp_path.iterdir())


def test_runs_that_differ_in_more_are_refused(tmp_path: Path) -> None:
    runs = configs("model=mlp", varied=(("model.dropout=0.1",), ("model.dropout=0.2",)))
    with pytest.raises(ValueError, match="differ only in seed"):
        train_stacked(runs, [tmp_path / "0", tmp_path / "1"])


def test_a_stacked_sweep_leaves_the_table_of_separate_jobs(tmp_path: Path) -> None:
    words = [*QUICK, "model=linear", "seed=1,2,3", "trainer.max_epochs=1", "figures=false"]
    words += ["sweep.launcher=in_process"]
    tables = []
    for stacked in ("true", "false"):
        run_words([*words, f"sweep.stacked={stacked}"], tmp_path / stacked)
        ranked = SweepFolder.read(tmp_path / stacked).ranked()
        tables.append([(each.rank, each.record.overrides, numbers(each.record.metrics)) for each in ranked])
    assert [row[:2] for row in tables[0]] == [row[:2] for row in tables[1]]
    for found, alone in zip(*tables, strict=True):
        assert found[2] == pytest.approx(alone[2], rel=1e-4, abs=1e-5)
    assert "trained together with job" in (tmp_path / "true" / "logs" / "2.log").read_text()


def test_a_sweep_names_what_cannot_be_stacked_before_any_training(tmp_path: Path) -> None:
    words = [*QUICK, "model=linear", "seed=1,2", "averaging=none,ema", "sweep.launcher=in_process"]
    with pytest.raises(Mistakes, match=r"2 of 4 jobs .*\n2 jobs \(1, 3\): averaging=EMA: must be left out"):
        run_words([*words, "sweep.stacked=true"], tmp_path / "sweep")
    assert not (tmp_path / "sweep").exists()


def test_a_run_that_cannot_be_reported_fails_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def finish(replica: Replica) -> None:
        if replica.module.config.seed == 2:
            raise OSError("the disk is full")
        whole(replica)

    whole = Replica.finish
    with monkeypatch.context() as patch:
        patch.setattr(Replica, "finish", finish)
        found = train_stacked(configs("model=linear"), [tmp_path / str(i) for i in range(3)])
    assert [each["status"] for each in found] == ["completed", "failed", "completed"]
    assert found[1]["error"] == "OSError: the disk is full"
    again = train_stacked(configs("model=linear"), [tmp_path / str(i) for i in range(3)])
    assert again[1]["status"] == "completed"
    assert again[::2] == found[::2]


def test_a_search_is_not_stacked(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"sweep.stacked=true: must be false with sweep.method=random"):
        run_words(["sweep.method=random", "sweep.stacked=true", "seed=1,2"], tmp_path / "sweep")


STATUSES = {2: "diverged", 3: "failed"}  # by the seed


class Groups:
    """A launcher that remembers what it gets, and has one slot."""

    slots = 1

    def __init__(self) -> None:
        self.started: list[list[int]] = []
        self._running: list[Job] = []

    def start(self, job: Job) -> None:
        self._running.append(job)
        self.started.append([job.number, *(each.number for each in job.stacked)])

    def wait(self, timeout: float | None = None) -> list[Ending]:
        (job,) = self._running
        self._running = []
        members = (job, *job.stacked)
        found = {
            str(each.number): {"status": STATUSES.get(each.config["seed"], "completed"), "error": "disk full"}
            for each in members
        }
        metrics: dict[str, Any] = {"jobs": found} if job.stacked else found[str(job.number)]
        return [Ending(job.number, "completed", metrics=metrics, seconds=1.0)]

    def stop(self, number: int) -> None:
        raise AssertionError

    def close(self) -> None:
        pass


def test_jobs_are_grouped_by_what_they_have_in_common(tmp_path: Path) -> None:
    different: list[dict[str, Any]] = [
        {"seed": 1, "optimizer": {"_target_": "a", "lr": 1, "betas": [0.9, 0.99]}},
        {"seed": 2, "optimizer": {"_target_": "a", "lr": 2, "betas": [0.8, 0.99]}},
        {"seed": 3, "optimizer": {"_target_": "a", "lr": 2, "betas": [0.8, 0.99]}},
        {"seed": 1, "optimizer": {"_target_": "b", "lr": 1}},
        {"seed": 1, "optimizer": {"_target_": "a", "lr": 1, "betas": [0.9, 0.99], "nesterov": True}},
    ]
    inner = Groups()
    stacking = Stacking(inner)
    for number, config in enumerate(different):
        stacking.start(Job(number, (), config, tmp_path / str(number), tmp_path / f"{number}.log"))
    endings = [each for _ in range(3) for each in stacking.wait(1.0)]
    assert inner.started == [[0, 1, 2], [3], [4]]
    assert [(each.number, each.state, each.cause) for each in endings] == [
        (0, "completed", ""),
        (1, "diverged", "the training has diverged"),
        (2, "failed", "disk full"),
        (3, "completed", ""),
        (4, "completed", ""),
    ]


def test_a_stopped_group_reports_all_its_jobs(tmp_path: Path) -> None:
    stacking = Stacking(Groups())
    for number in range(2):
        stacking.start(Job(number, (), {"seed": number}, tmp_path / str(number), tmp_path / f"{number}.log"))
    endings = end_all(stacking, {0, 1})
    assert [(each.number, each.state) for each in endings] == [(0, "interrupted"), (1, "interrupted")]
