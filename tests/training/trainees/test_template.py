"""What users of lightning-hydra-template bring runs unchanged: their LightningModule and their LightningDataModule."""

import csv
import json
import multiprocessing
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from omegaconf import OmegaConf

from firstlight.training.callbacks import Checkpoints, Learner
from firstlight.training.environment import silence_lightning
from firstlight.training.run import resume, train
from firstlight.training.trainees.evaluate import evaluate
from helpers.generate import write_mnist
from helpers.records import final_metrics, same_run
from helpers.runs import REPOSITORY, history
from helpers.template import MNISTDataModule, MNISTLitModule, SimpleDenseNet, data_node, task_node
from helpers.template_runs import config_of

WORDS = ("monitor=val/acc", "monitor_mode=max", "trainer.max_epochs=4")


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """A forked process has one thread; sums are equal bit for bit only on the same number of threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with generated MNIST files and a completed run of the template in `run`."""
    path = tmp_path_factory.mktemp("template")
    write_mnist(path)
    train(config_of(*WORDS, task=task_node(), data=data_node(path)), run_dir=path / "run")
    return path


def test_the_run_folder_holds_the_metrics_that_the_module_logs(folder: Path) -> None:
    rows, metrics = history(folder / "run"), json.loads((folder / "run" / "metrics.json").read_text())
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]
    assert {"train/loss", "train/acc", "val/loss", "val/acc", "val/acc_best", "lr"} < rows[0].keys()
    accuracies = [float(row["val/acc"]) for row in rows]
    assert metrics["val/acc"] == max(accuracies) > 0.3
    assert metrics["epoch"] == 1 + accuracies.index(max(accuracies))
    assert [float(row["val/acc_best"]) for row in rows] == [max(accuracies[: n + 1]) for n in range(4)]
    assert {"test/acc", "test/loss"} < metrics.keys()
    assert (metrics["monitor"], metrics["monitor_mode"], metrics["status"]) == ("val/acc", "max", "completed")
    assert float(rows[-1]["lr"]) < 0.001  # the plateau scheduler of the config
    config = OmegaConf.load(folder / "run" / "config.yaml")
    assert "model" not in config
    assert config.task.optimizer._partial_ is True
    assert any(folder.glob("run/tensorboard/events.out.tfevents.*"))
    assert "MNISTLitModule" in (folder / "run" / "train.log").read_text()


@pytest.mark.filterwarnings("ignore:Attribute 'net' is an instance")
@pytest.mark.filterwarnings("ignore:The 'test_dataloader' does not have many workers")
def test_the_metrics_are_those_of_lightning_alone(folder: Path) -> None:
    """The best weights, in a module and a Trainer without firstlight, have the same test accuracy."""
    silence_lightning()
    checkpoint = torch.load(folder / "run" / "checkpoints" / "best.ckpt", weights_only=True)
    net = SimpleDenseNet(784, 16, 16, 16, 10)
    module = MNISTLitModule(net, None, None, False)  # type: ignore[arg-type]
    module.load_state_dict(checkpoint["state_dict"])
    data = MNISTDataModule(str(folder), (150, 50, 50), batch_size=32)
    trainer = lightning.Trainer(
        accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False, inference_mode=False
    )
    (found,) = trainer.test(module, data, verbose=False)
    metrics = json.loads((folder / "run" / "metrics.json").read_text())
    assert found["test/acc"] == metrics["test/acc"]
    assert found["test/loss"] == pytest.approx(metrics["test/loss"], rel=1e-5)


def test_checkpoints_hold_hyperparameters_as_the_config_writes_them(folder: Path) -> None:
    checkpoint = torch.load(folder / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    assert checkpoint["hyper_parameters"] == {k: v for k, v in task_node().items() if k != "_target_"}
    assert checkpoint["config"]["task"] == task_node()


def test_a_killed_run_goes_on_as_if_it_had_not_been_killed(folder: Path) -> None:
    config = config_of(*WORDS, task=task_node(), data=data_node(folder))
    process = multiprocessing.get_context("fork").Process(target=_train_and_die, args=(config, folder / "killed"))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert len(history(folder / "killed")) == 2
    resume(folder / "killed")
    same_run(folder / "run", folder / "killed")


def _train_and_die(config: dict[str, Any], folder: Path) -> None:
    """Train until the checkpoint of the second epoch is written: Lightning logs metrics of the epoch after it."""
    write = Checkpoints.on_epoch_end

    def write_and_die(self: Checkpoints, trainer: lightning.Trainer, learner: Learner) -> None:
        write(self, trainer, learner)
        if trainer.current_epoch == 1:
            os.kill(os.getpid(), signal.SIGKILL)

    Checkpoints.on_epoch_end = write_and_die  # type: ignore[method-assign]
    train(config, run_dir=folder)


def test_a_prolonged_run_ends_as_one_that_was_longer_from_the_beginning(folder: Path) -> None:
    """The rate of the plateau scheduler and the best accuracy so far go on, which Lightning's checkpoints leave out."""
    path, words = folder / "prolonged", (*WORDS[:2], "trainer.max_epochs=3")
    train(config_of(*words, task=task_node(), data=data_node(folder)), run_dir=path)
    resume(path, max_epochs=4)
    assert history(path) == history(folder / "run")
    assert final_metrics(path) == final_metrics(folder / "run")


def test_evaluate_gives_the_metrics_of_the_training(folder: Path) -> None:
    metrics = json.loads((folder / "run" / "metrics.json").read_text())
    for split in ("test", "val"):
        found = evaluate(folder / "run", split=split, accelerator="cpu")
        names = [f"{split}/loss", f"{split}/acc"]
        assert [found[name] for name in names] == pytest.approx([metrics[name] for name in names])


@pytest.mark.slow
def test_a_sweep_on_the_command_line_ranks_by_what_the_module_logs(
    folder: Path, script: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    words = (f"task={_word(task_node())}", f"data={_word(data_node(folder))}", *WORDS[:2], "trainer.accelerator=cpu")
    done = script("train", "-m", *words, "trainer.max_epochs=1", "task.optimizer.lr=1e-9,0.01", **PATHS)
    assert done.returncode == 0, done.stderr
    (path,) = tmp_path.glob("outputs/sweeps/*/summary.csv")
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["rank"] for row in rows] == ["1", "2"]
    assert float(rows[0]["val/acc"]) > float(rows[1]["val/acc"])
    assert rows[0]["task.optimizer.lr"] == "0.01"
    refused = script("train", *words, "optimizer.lr=1", **PATHS)
    assert refused.returncode == 1
    assert refused.stderr.startswith("optimizer.lr=1: must be left out, because the LightningModule MNISTLitModule")


@pytest.mark.slow
def test_two_processes_train_the_template_and_it_is_evaluated_from_its_project(
    folder: Path, script: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    words = (f"task={_word(task_node())}", f"data={_word(data_node(folder))}", *WORDS[:2], "trainer.accelerator=cpu")
    done = script("train", *words, "trainer.max_epochs=1", "trainer.devices=2", "run_dir=run", **PATHS)
    assert done.returncode == 0, done.stderr
    # The module lies outside of the working directory.
    assert script("evaluate", "run=run", "accelerator=cpu", "trust=true", **PATHS).returncode == 0


PATHS = {"PYTHONPATH": str(REPOSITORY / "tests")}


def _word(node: Any) -> str:
    """Return a node as Hydra's grammar writes it."""
    if isinstance(node, dict):
        return "{" + ",".join(f"{key}:{_word(value)}" for key, value in node.items()) + "}"
    if isinstance(node, list):
        return "[" + ",".join(map(_word, node)) + "]"
    return str(node).lower() if isinstance(node, bool) else str(node)
