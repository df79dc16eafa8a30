"""Every logger holds the hyperparameters, the metrics of each epoch once, and the final metrics of a run."""

import csv
import importlib.util
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from firstlight.config import RunConfig
from firstlight.config.compose import compose
from firstlight.runs.report.environment import git_commit
from firstlight.training.loggers.hyperparameters import hyperparameters
from firstlight.training.run import resume, train
from helpers.failing import FailingOnce, Mine
from helpers.runs import TINY, history
from helpers.wandb_files import read_wandb

SERVICES = [
    pytest.param(name, marks=pytest.mark.skipif(importlib.util.find_spec(name) is None, reason=f"no {name}"))
    for name in ("wandb", "mlflow")
]
FAILING = "+trainer.callbacks=[{_target_: helpers.failing.FailingOnce}]"


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


class Records:
    """What a logger holds of a run: hyperparameters, rows by step, final metrics, and how the run has ended."""

    def __init__(self, service: str, folder: Path) -> None:
        self.hyperparameters: dict[str, Any] = {}
        self.points: dict[str, list[tuple[int, float]]] = {}
        getattr(self, f"_read_{service}")(folder)

    def final(self, name: str) -> float:
        return self.points[name][-1][1]

    def _read_wandb(self, folder: Path) -> None:
        found = read_wandb(folder)
        self.hyperparameters = found["config"]
        steps = [row["_step"] for row in found["history"]]
        assert steps == sorted(set(steps))
        for row in found["history"]:
            for name, value in row.items():
                self.points.setdefault(name, []).append((row.get("trainer/global_step", 0), value))
        assert len({*found["ids"]}) == 1
        self.ends = [*found["exits"], *["preempting"] * found["preempting"]]
        self.summary = found["summary"]

    def _read_mlflow(self, folder: Path) -> None:
        from mlflow.tracking import MlflowClient

        os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
        client = MlflowClient((folder / "mlflow").as_uri())
        run_id = json.loads((folder / "loggers.json").read_text())["mlflow"]["id"]
        (run,) = client.search_runs([client.get_experiment_by_name("digits-linear").experiment_id])
        assert run.info.run_id == run_id
        self.hyperparameters = run.data.params
        for name in run.data.metrics:
            self.points[name] = [(point.step, point.value) for point in client.get_metric_history(run_id, name)]
        self.ends = [run.info.status]
        self.images = [file.path for file in client.list_artifacts(run_id)]

    def _read_csv(self, folder: Path) -> None:
        with (folder / "csv" / "hyperparameters.csv").open(newline="") as file:
            self.hyperparameters = {row["name"]: row["value"] for row in csv.DictReader(file)}
        with (folder / "csv" / "metrics.csv").open(newline="") as file:
            for row in csv.DictReader(file):
                for name, value in row.items():
                    if value:
                        self.points.setdefault(name, []).append((int(row["step"]), float(value)))


def check_epochs(records: Records, folder: Path) -> None:
    """Compare with metrics.csv: each metric once for each epoch, at its step."""
    rows = history(folder)
    for name in set(rows[0]) - {"step"}:
        expected = [(int(row["step"]), pytest.approx(float(row[name]))) for row in rows]
        assert records.points[name] == expected, name


@pytest.mark.parametrize("service", [*SERVICES, "csv"])
def test_a_logger_holds_hyperparameters_epochs_and_final_metrics(service: str, tmp_path: Path) -> None:
    words = [f"logger=[tensorboard,{service}]", "augment=light", "augment.views=0"]
    metrics = train(compose(*TINY, *words), run_dir=tmp_path / "run")
    records = Records(service, tmp_path / "run")
    assert float(records.hyperparameters["optimizer.lr"]) == 2e-3
    assert records.hyperparameters["optimizer"] == "torch.optim.AdamW"
    assert int(records.hyperparameters["parameters"]) == 650
    assert int(records.hyperparameters["flops_per_sample"]) == 1280
    check_epochs(records, tmp_path / "run")
    assert records.points["train/loss_of_step"][0][0] == 50
    assert records.final("test/accuracy") == pytest.approx(metrics["test/accuracy"])
    assert records.final("best/val/loss") == pytest.approx(metrics["val/loss"])
    if service == "wandb":
        assert records.ends == [0]
        assert records.summary["test/accuracy"] == pytest.approx(metrics["test/accuracy"])
        assert "augmentation._type" in records.points
    elif service == "mlflow":
        assert records.ends == ["FINISHED"]
        assert {"augmentation.png", "config.txt"} <= {*records.images}


@pytest.mark.parametrize("service", SERVICES)
def test_a_run_that_fails_has_that_status(service: str, tmp_path: Path) -> None:
    FailingOnce.error = RuntimeError("out of luck")
    with pytest.raises(RuntimeError):
        train(compose(*TINY, f"logger={service}", FAILING), run_dir=tmp_path / "run")
    assert Records(service, tmp_path / "run").ends == {"wandb": [1], "mlflow": ["FAILED"]}[service]


@pytest.mark.parametrize("service", [*SERVICES, "csv"])
def test_a_stopped_run_continues_without_repetitions(service: str, tmp_path: Path) -> None:
    FailingOnce.error = KeyboardInterrupt(15)
    with pytest.raises(KeyboardInterrupt):
        train(compose(*TINY, f"logger={service}", FAILING), run_dir=tmp_path / "run")
    if service != "csv":
        stopped = {"wandb": [1, "preempting"], "mlflow": ["KILLED"]}[service]
        assert Records(service, tmp_path / "run").ends == stopped
    metrics = resume(tmp_path / "run", trust=True)
    records = Records(service, tmp_path / "run")
    check_epochs(records, tmp_path / "run")
    assert [step for step, _ in records.points["train/loss_of_step"]] == [50]
    assert records.points["test/accuracy"] == [(82, pytest.approx(metrics["test/accuracy"]))]
    if service != "csv":
        assert records.ends == {"wandb": [1, 0, "preempting"], "mlflow": ["FINISHED"]}[service]
    else:
        resume(tmp_path / "run", trust=True, max_epochs=3)
        check_epochs(Records(service, tmp_path / "run"), tmp_path / "run")


@pytest.mark.figures
def test_a_logger_of_lightning_or_of_the_user_gets_the_same(tmp_path: Path) -> None:
    own = "+logger.mine={_target_: helpers.failing.Mine, colour: blue}"
    lightning = "+logger.theirs={_target_: lightning.pytorch.loggers.CSVLogger}"
    train(compose(*TINY, "augment=light", "augment.views=0", own, lightning), run_dir=tmp_path / "run")
    mine = Mine.latest
    assert (mine.folder, mine.colour) == (str(tmp_path / "run"), "blue")
    assert mine.hyperparameters["optimizer.lr"] == 2e-3
    assert [row["val/loss"] for _, row in mine.rows if "val/loss" in row] == [
        pytest.approx(float(row["val/loss"])) for row in history(tmp_path / "run")
    ]
    assert "test/accuracy" in mine.rows[-1][1]
    assert {"augmentation", "val/confusion"} <= {*mine.images}
    assert mine.ends[-1] == "success"
    with (tmp_path / "run/lightning_logs/version_0/metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows if row["val/loss"]] == ["1", "2"]
    assert rows[-1]["test/accuracy"]
    assert "optimizer.lr: 0.002" in (tmp_path / "run/lightning_logs/version_0/hparams.yaml").read_text()


def test_no_logger(tmp_path: Path) -> None:
    train(compose(*TINY, "logger=none"), run_dir=tmp_path / "run")
    assert not (tmp_path / "run" / "tensorboard").exists()
    assert len(history(tmp_path / "run")) == 2


@pytest.mark.skipif(importlib.util.find_spec("wandb") is None, reason="no wandb")
def test_wandb_is_offline_without_a_network_and_knows_the_sweep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("WANDB_MODE")
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")  # where nothing listens
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    (tmp_path / "sweep").mkdir()
    (tmp_path / "sweep" / "summary.csv").touch()
    train(compose(*TINY, "logger=wandb", "trainer.max_epochs=1"), run_dir=tmp_path / "sweep" / "0")
    assert "logger=wandb: the server cannot be reached, so the run is logged offline." in capsys.readouterr().out
    found = read_wandb(tmp_path / "sweep" / "0")
    assert (found["groups"], found["exits"]) == (["sweep"], [0])


def test_a_missing_package_and_a_wrong_logger_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "wandb" else find(name))
    with pytest.raises(ValueError, match=r'^logger=wandb: must be used with .*pip install "firstlight\[wandb\]"$'):
        train(compose(*TINY, "logger=wandb"), run_dir=tmp_path / "run")
    with pytest.raises(ValueError, match=r"^logger\.mine: must have a _target_"):
        train(compose(*TINY, "+logger.mine={colour: red}"), run_dir=tmp_path / "run")
    with pytest.raises(ValueError, match=r"^logger\.tensorboard\.path: unknown option of TensorBoard"):
        train(compose(*TINY, "+logger.tensorboard.path=x"), run_dir=tmp_path / "run")
    with pytest.raises(ValueError, match=r"^logger\.mine=Linear: must be a subclass of lightning"):
        train(
            compose(*TINY, "+logger.mine={_target_: torch.nn.Linear, in_features: 1, out_features: 1}"),
            run_dir=tmp_path / "run",
        )
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_several_loggers_at_once_end_without_a_traceback(
    script: Callable[..., CompletedProcess[str]], tmp_path: Path
) -> None:
    services = [name for name in ("wandb", "mlflow") if importlib.util.find_spec(name) is not None]
    words = [*TINY, f"logger=[tensorboard,csv,{','.join(services)}]".replace(",]", "]")]
    done = script("train", *words, "run_dir=run")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    for service in ("csv", *services):
        records = Records(service, tmp_path / "run")
        check_epochs(records, tmp_path / "run")
        assert len(records.points["test/accuracy"]) == 1
        assert float(records.hyperparameters["optimizer.lr"]) == 2e-3
    if "wandb" in services:
        assert len(list((tmp_path / "run").glob("wandb/offline-run-*"))) == 1


def test_hyperparameters_have_the_git_commit(tmp_path: Path) -> None:
    git = ["git", "-c", "user.name=me", "-c", "user.email=me@here"]
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run([*git, *words], cwd=tmp_path, check=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=tmp_path, check=True, capture_output=True, text=True)
    found = hyperparameters(RunConfig.from_overrides("model=linear", "augment=light"), 195, git_commit())
    assert found["git_commit"] == head.stdout.strip()
    assert found["parameters"] == 195
    assert found["model"] == "firstlight.networks.Linear"
    assert found["augment.rotate.degrees"] == 10
    assert not {"data.dir", "logger", "run_dir", "patience"} & found.keys()
