"""A project of one's own: every part that may be brought along, in one project, trained and used in all ways."""

import csv
import importlib
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import SGD
from torch.optim.lr_scheduler import OneCycleLR

import firstlight as fl
from firstlight.commands import train as train_command
from firstlight.config.project import use_project
from helpers.generate import write_mnist
from helpers.runs import history, same_weights

PROJECT = Path(__file__).parents[1] / "helpers" / "brought"
GAN = ("model=gan", "task=wgan", "task.metrics=null", "model.base_channels=4", "augment=none")
Script = Callable[..., "CompletedProcess[str]"]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the project, which is the working directory."""
    folder = shutil.copytree(PROJECT, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.chdir(folder)
    use_project()
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> fl.Run:
    """A run of the project as its train.yaml describes it. No test changes it."""
    with pytest.MonkeyPatch.context() as patch:
        folder = shutil.copytree(PROJECT, tmp_path_factory.mktemp("own"), dirs_exist_ok=True)
        patch.chdir(folder)
        return fl.train(run_dir=folder / "run")


def lines(run_dir: Path) -> list[dict[str, Any]]:
    """Return what the project's logger has written."""
    return [json.loads(line) for line in (run_dir / "lines.json").read_text().splitlines()]


def test_every_part_of_the_project_is_used(project: Path) -> None:
    run = fl.train(run_dir=project / "run")
    assert {f"{type(part).__module__}.{type(part).__name__}" for part in (run.network, run.task)} == {
        "mine.network.Small",
        "firstlight.tasks.classification.Classification",
    }
    assert run.spec.labels == ("red", "green", "blue")
    seen = [batch for batch in importlib.import_module("mine.steps").Dim.seen if len(batch) == 32]
    assert len(seen) == 15  # five in each of three epochs; the sixth is smaller
    levels = torch.cat(seen) * 255
    assert not torch.allclose(levels, levels.round(), atol=0.01)  # ColorJitter has changed them before
    assert [float(row["lr"]) for row in history(run.path)] == [0.05, 0.025, 0.0125]  # StepLR
    written = lines(run.path)
    assert [line["batches"] for line in written if "batches" in line] == [6, 12, 18]  # of the callback
    assert written[0]["hyperparameters"]["model"] == "mine.network.Small"
    assert [line["val/doubt"] for line in written if "val/doubt" in line] == [
        float(row["val/doubt"]) for row in history(run.path)
    ]
    assert written[-1]["test/auroc"] == run.metrics["test/auroc"]


@pytest.mark.parametrize(("metric", "best"), [("auroc", max), ("doubt", min)])
def test_both_metrics_are_monitored_in_their_direction(project: Path, metric: str, best: Any) -> None:
    words = ["optimizer.lr=0.5", "trainer.max_epochs=4", "augment.dim=null"]
    run = fl.train(*words, f"monitor=val/{metric}", run_dir=project / "run")
    values = [float(row[f"val/{metric}"]) for row in history(run.path)]
    assert len(set(values)) > 1
    assert run.metrics["epoch"] == 1 + values.index(best(values))
    assert (run.metrics[f"val/{metric}"], run.metrics["monitor_mode"]) == (best(values), best.__name__)


def test_a_data_set_of_torchvision_and_one_cycle_of_torch(project: Path) -> None:
    write_mnist(project / "files", name="FashionMNIST")
    words = ["data=fashion", f"data.dir={project / 'files'}", "scheduler=one_cycle", "model.width=4"]
    run = fl.train(*words, "trainer.max_epochs=2", run_dir=project / "run")
    assert run.spec.labels[:2] == ("T-shirt/top", "Trouser")
    assert 0 < run.metrics["test/auroc"] < 1
    optimizer, rates = SGD([nn.Parameter(torch.zeros(1))], lr=0.05, momentum=0.9), []
    cycle = OneCycleLR(optimizer, 0.05, total_steps=6, pct_start=0.25)  # 180 images are three batches
    for _ in range(6):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        cycle.step()
    assert [float(row["lr"]) for row in history(run.path)] == pytest.approx([rates[2], rates[5]])


def test_a_subclass_of_a_task_inherits_its_name_and_networks(project: Path) -> None:
    run = fl.train(*GAN, "trainer.max_epochs=1", run_dir=project / "run")
    assert type(run.task).__name__ == "WGAN"
    assert run.metrics["monitor"] == "val/distance"
    task: Any = run.task
    fakes = torch.rand(4, *run.spec.input_shape)
    with torch.no_grad():
        assert task._generator_loss(fakes) == -task.network.discriminate(fakes).mean()
    assert run.evaluate()["test/generator_loss"] == pytest.approx(run.metrics["test/generator_loss"], abs=1e-5)
    run.sample(output=project / "samples.png")
    assert (project / "samples.png").is_file()


def test_a_resumed_run_equals_the_uninterrupted_one(run: fl.Run, project: Path) -> None:
    callback = importlib.import_module("mine.callback").Counting
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(callback, "on_train_epoch_start", interrupt_in_third_epoch)
        with pytest.raises(KeyboardInterrupt):
            fl.train(run_dir=project / "run")
    assert len(history(project / "run")) == 2
    resumed = fl.resume(project / "run")
    assert history(resumed.path) == history(run.path)
    assert same_weights(resumed.path, run.path)
    assert same_weights(resumed.path, run.path, "last")
    assert [line["batches"] for line in lines(resumed.path) if "batches" in line] == [6, 12, 18]


def interrupt_in_third_epoch(callback: Any, trainer: Any, module: Any) -> None:
    if trainer.current_epoch == 2:
        raise KeyboardInterrupt


def test_a_run_evaluates_and_predicts(run: fl.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(run.path.parent)
    loaded = fl.load_run("run")
    found = loaded.evaluate()
    for name in ("test/accuracy", "test/auroc", "test/doubt"):
        assert found[name] == pytest.approx(run.metrics[name], abs=1e-6), name
    images = np.full((3, 8, 8, 3), 60, np.uint8)
    for index in range(3):
        images[index, ::3, :, index] = 250
    rows = loaded.predict(images)
    assert {row["label"] for row in rows} <= {"red", "green", "blue"}
    assert rows[0] != rows[1]


def command(words: list[str], patch: pytest.MonkeyPatch) -> int:
    """Run `firstlight train` with these words, and return its exit status."""
    patch.setattr(sys, "argv", ["train", *words])
    with pytest.raises(SystemExit) as caught:
        train_command.main()
    assert isinstance(caught.value.code, int)
    return caught.value.code


def test_a_sweep_ranks_choices_of_the_project(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["scheduler=halving,one_cycle", "trainer.max_epochs=1", "-m", "monitor=val/auroc", "hydra.sweep.dir=sweep"]
    words.append("sweep.launcher=in_process")
    assert command(words, monkeypatch) == 0
    with (project / "sweep" / "summary.csv").open(newline="") as file:
        first, second = csv.DictReader(file)
    assert {first["scheduler"], second["scheduler"]} == {"halving", "one_cycle"}
    assert float(first["val/auroc"]) >= float(second["val/auroc"])
    assert len(lines(project / "sweep" / first["job"])) > 3


MISTAKES = [
    (["data=gratngs"], "data=gratngs: unknown data, did you mean 'gratings'?"),
    (["model.widht=4"], "model.widht: unknown key, did you mean 'model.width'?"),
    (["model.width=wide"], "model.width=wide: must be a whole number (Small)."),
    (
        ["task=wgan"],
        "task=adversarial: must have a network that generates images, such as model=gan; Small does not.",
    ),
    (["monitor=val/auroq"], "monitor=val/auroq: unknown metric, did you mean 'val/auroc'?"),
    (
        ["+task.metrics.other={_target_: mine.metric.Undirected}", "monitor=val/other"],
        "task.metrics.other.direction: must be min or max with monitor=val/other, because the metric does not say which"
        " values are better.",
    ),
    (
        ["+task.metrics.other._target_=mine.metric.Dout"],
        "task.metrics.other._target_=mine.metric.Dout: unknown class, did you mean 'mine.metric.Doubt'?",
    ),
    (["scheduler.step_size=half"], "scheduler.step_size=half: must be a whole number (StepLR)."),
    (
        ["+augment.bad={_target_: mine.steps.Halve}"],
        "augment.bad: Halve must return samples of the shape that it gets, (8, 3, 8, 8), not (8, 3, 8, 4). augment.size"
        " resizes images.",
    ),
    (
        ["trainer.callbacks=[{_target_: mine.callback.Counting, nam: x}]"],
        "trainer.callbacks.0.nam: unknown option of Counting, did you mean 'trainer.callbacks.0.name'?",
    ),
    (["logger.lines.pth=x"], "logger.lines.pth: unknown key; known: file, save_dir."),
]


@pytest.mark.parametrize(("words", "message"), MISTAKES)
def test_a_mistake_gets_its_answer(
    words: list[str], message: str, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command([*words, "run_dir=run"], monkeypatch) == 1
    assert capsys.readouterr().err.splitlines() == [message]
    assert not (project / "run").exists()


@pytest.mark.slow
def test_two_processes_train_the_same_run_as_one(project: Path, script: Script) -> None:
    words = ["augment=none", "trainer.max_epochs=2"]  # each process augments its own part of a batch
    done = script("train", *words, "trainer.devices=2", "run_dir=two")
    assert (done.returncode, done.stderr) == (0, "")
    alone = fl.train(*words, run_dir=project / "one")
    for name in ("val/loss", "val/auroc", "val/doubt"):
        values = [float(row[name]) for row in history(project / "two")]
        assert values == pytest.approx([float(row[name]) for row in history(alone.path)], rel=1e-3), name
    two, one = lines(project / "two"), lines(alone.path)
    assert [sorted(line) for line in two] == [sorted(line) for line in one]  # only the first process logs
