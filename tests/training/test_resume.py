"""Runs that stop and are resumed end with the same bits as runs that do not stop."""

import csv
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Trainer

from firstlight.config import RunConfig
from firstlight.config.compose import compose
from firstlight.data import MNIST
from firstlight.runs import RunFolder
from firstlight.training.callbacks import Checkpoints
from firstlight.training.module import TrainingModule
from firstlight.training.run import resume, train
from helpers.generate import write_mnist
from helpers.runs import history, same_weights, stop

Script = Callable[..., "subprocess.CompletedProcess[str]"]


def check_same_run(one: Path, other: Path) -> None:
    assert history(one) == history(other)
    for checkpoint in ("best", "last"):
        assert same_weights(one, other, checkpoint)


def train_and_stop(config: RunConfig, run_dir: Path, after_epoch: int) -> None:
    """Train, and interrupt the run as soon as the checkpoint of an epoch is complete."""
    save = Checkpoints.save

    def save_and_stop(self: Checkpoints, trainer: Trainer, module: TrainingModule, epoch: int) -> None:
        save(self, trainer, module, epoch)
        if epoch == after_epoch:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checkpoints, "save", save_and_stop)
        with pytest.raises(KeyboardInterrupt):
            train(config, run_dir=run_dir)
    assert len(history(run_dir)) == after_epoch


def test_a_killed_run_resumes_to_the_same_end(tmp_path: Path) -> None:
    overrides = ["model=linear", "trainer.max_epochs=20", "trainer.accelerator=cpu"]
    train(compose(*overrides), run_dir=tmp_path / "not_stopped")
    stop(tmp_path, "killed", [*overrides, "run_dir=killed"], after_epochs=2)
    assert len(history(tmp_path / "killed")) < 20
    metrics = train(compose(f"resume={tmp_path / 'killed'}"))
    assert metrics["status"] == "completed"
    check_same_run(tmp_path / "not_stopped", tmp_path / "killed")


@pytest.mark.parametrize(
    "options",
    [
        ["model=gan", "model.base_channels=4", "augment=light"],
        ["model=vae", "model.hidden_sizes=[8]", "model.noise=0.3"],
        [
            "data=text",
            "data.length=16",
            "data.batch_size=8",
            "model=lstm",
            "model.hidden_size=8",
            "model.dropout=0.2",
            "+trainer.limit_val_batches=3",
            "+trainer.limit_test_batches=3",
        ],
        ["data=diabetes", "data.batch_size=32", "task.l1=0.1"],
        ["model=linear", "scheduler=plateau", "scheduler.patience=0", "optimizer=sgd", "trainer.max_steps=8"],
        ["model=cnn", "model.filters=[4,8]", "model.freeze=backbone", "augment=light", "augment.views=2"],
        ["model=cnn", "model.freeze=backbone", "model.unfreeze_at_epoch=2", "model.lr_decay=0.5", "augment=light"],
        # Runs that are stopped at their end, before they are tested.
        ["model=linear", "trainer.max_epochs=1"],
        ["model=linear", "trainer.max_steps=3"],
    ],
)
def test_a_stopped_run_of_any_task_resumes_to_the_same_end(options: list[str], tmp_path: Path) -> None:
    config = RunConfig.from_overrides(
        "trainer.max_epochs=3", "trainer.accelerator=cpu", "+trainer.limit_train_batches=3", *options
    )
    train(config, run_dir=tmp_path / "not_stopped")
    train_and_stop(config, tmp_path / "stopped", after_epoch=1)
    resume(tmp_path / "stopped")
    check_same_run(tmp_path / "not_stopped", tmp_path / "stopped")


@pytest.mark.parametrize("after_epoch", [2, 4])
def test_a_callback_of_the_user_resumes_with_the_state_of_its_last_epoch(after_epoch: int, tmp_path: Path) -> None:
    # No loss improves by 99, so the callback stops the run after three more epochs; `patience` would, too.
    callback = "{_target_: lightning.pytorch.callbacks.EarlyStopping, monitor: val/loss, patience: 3, min_delta: 99}"
    config = RunConfig.from_overrides(
        *("model=linear", "trainer.accelerator=cpu", "trainer.max_epochs=9", "+trainer.limit_train_batches=3"),
        f"+trainer.callbacks=[{callback}]",
    )
    train_and_stop(config, tmp_path / "stopped", after_epoch)
    checkpoint = torch.load(tmp_path / "stopped" / "checkpoints" / "last.ckpt", weights_only=True)
    (state,) = [state for name, state in checkpoint["callbacks"].items() if name.startswith("EarlyStopping")]
    assert state["wait_count"] == after_epoch - 1
    if after_epoch == 2:
        resume(tmp_path / "stopped")
        assert len(history(tmp_path / "stopped")) == 4


def test_a_run_that_is_stopped_when_its_patience_ends_trains_no_further_epoch(tmp_path: Path) -> None:
    config = RunConfig.from_overrides(
        *("model=linear", "trainer.accelerator=cpu", "trainer.max_epochs=9", "+trainer.limit_train_batches=3"),
        *("optimizer=sgd", "optimizer.lr=0.0", "scheduler=constant", "patience=1"),
    )
    train_and_stop(config, tmp_path / "run", after_epoch=2)
    assert resume(tmp_path / "run")["status"] == "completed"
    assert len(history(tmp_path / "run")) == 2


@pytest.mark.slow
def test_an_interrupted_run_prints_how_to_continue(tmp_path: Path) -> None:
    overrides = ["model=linear", "trainer.max_epochs=500", "trainer.accelerator=cpu", "trainer.devices=2"]
    done = stop(tmp_path, "run", [*overrides, "run_dir=run"], after_epochs=2, number=signal.SIGINT)
    assert done.returncode == 130
    assert done.stdout.count("interrupted; continue with") == 1
    assert "resume=run" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert RunFolder(tmp_path / "run").metrics()["status"] == "interrupted"


@pytest.mark.slow
def test_an_interrupted_sweep_still_ranks_its_jobs(tmp_path: Path) -> None:
    arguments = ["-m", "model=linear", "trainer.accelerator=cpu", "trainer.max_epochs=2,500", "sweep.jobs=1"]
    arguments += ["hydra.sweep.dir=sweep"]
    done = stop(tmp_path, "sweep/1", arguments, after_epochs=2, number=signal.SIGINT)
    assert done.returncode == 130
    with (tmp_path / "sweep" / "summary.csv").open(newline="") as file:
        assert [row["status"] for row in csv.DictReader(file)] == ["completed", "interrupted"]


def test_a_resumed_run_that_fails_keeps_its_folder(tmp_path: Path) -> None:
    folder = RunFolder.create(RunConfig.from_overrides("data=mnist", f"data.dir={tmp_path}"), tmp_path / "run")
    before = {path.name for path in folder.path.iterdir()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MNIST, "url", "http://127.0.0.1:9/")
        with pytest.raises(ValueError, match="MNIST"):
            resume(folder.path)
    assert {path.name for path in folder.path.iterdir()} >= before
    assert folder.metrics()["status"] == "failed"


def test_a_resumed_run_reads_data_that_has_moved(tmp_path: Path) -> None:
    write_mnist(tmp_path / "there")
    config = RunConfig.from_overrides("model=linear", "trainer.max_epochs=1", "data=mnist", "data.dir=/nowhere")
    folder = RunFolder.create(config, tmp_path / "run")
    assert resume(folder.path, data_dir=tmp_path / "there")["status"] == "completed"
    assert folder.config().data["dir"] == str(tmp_path / "there")


def test_a_resumed_run_refuses_another_config(script: Script, tmp_path: Path) -> None:
    done = script("train", f"resume={tmp_path}", "optimizer.lr=0.1")
    assert done.returncode == 1
    assert "optimizer.lr=0.1" in done.stderr


def test_a_completed_run_cannot_be_resumed(trained_run: Path) -> None:
    with pytest.raises(ValueError, match=r"resume=.*: must be a run that was stopped.*completed"):
        train(compose(f"resume={trained_run}"))


def test_a_folder_without_a_run_cannot_be_resumed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"resume=.*: must be a run folder"):
        train(compose(f"resume={tmp_path}"))


def test_a_run_folder_cannot_be_the_folder_of_a_new_run(trained_run: Path) -> None:
    before = (trained_run / "metrics.json").read_bytes()
    with pytest.raises(ValueError, match=r"run_dir=.*: must be a new folder.*resume="):
        train(compose(f"run_dir={trained_run}"))
    assert (trained_run / "metrics.json").read_bytes() == before
