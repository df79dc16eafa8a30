import csv
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from lightning.pytorch import Trainer

from firstlight.config import RunConfig
from firstlight.config.compose import compose
from firstlight.data import MNIST
from firstlight.runs.run_folder import RunFolder
from firstlight.tasks import Task
from firstlight.training.callbacks.checkpoints import Checkpoints
from firstlight.training.run import resume, train
from helpers.generate import write_mnist
from helpers.runs import history, same_weights, stop

Script = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.mark.parametrize(
    "options",
    [
        ["model=mlp"],
        ["model=linear", "scheduler=plateau", "scheduler.patience=0", "optimizer=sgd", "trainer.max_steps=1000"],
    ],
)
def test_a_killed_run_goes_on_and_ends_as_if_nothing_had_happened(options: list[str], tmp_path: Path) -> None:
    overrides = [*options, "trainer.max_epochs=30", "trainer.accelerator=cpu"]
    train(compose(*overrides), run_dir=tmp_path / "whole")
    stop(tmp_path, "killed", [*overrides, "run_dir=killed"], after_epochs=2)
    assert len(history(tmp_path / "killed")) < 30
    metrics = train(compose(f"resume={tmp_path / 'killed'}"))
    assert metrics["status"] == "completed"
    assert history(tmp_path / "whole") == history(tmp_path / "killed")
    for checkpoint in ("best", "last"):
        assert same_weights(tmp_path / "whole", tmp_path / "killed", checkpoint)


@pytest.mark.parametrize(
    "options",
    [
        ["model=gan", "model.base_channels=4", "augment=light"],
        ["model=vae", "model.hidden_sizes=[8]", "model.noise=0.3"],
        ["data=text", "data.length=16", "data.batch_size=8", "model=lstm", "model.hidden_size=8", "model.dropout=0.2"],
        ["data=diabetes", "data.batch_size=32", "task.l1=0.1"],
        ["model=cnn", "model.filters=[4,8]", "model.freeze=backbone"],
        ["model=cnn", "model.filters=[4,8]", "model.freeze=backbone", "augment=light", "augment.views=2"],
        ["model=cnn", "model.freeze=backbone", "model.unfreeze_at_epoch=2", "model.lr_decay=0.5", "augment=light"],
    ],
)
def test_a_stopped_run_of_any_task_ends_as_if_nothing_had_happened(options: list[str], tmp_path: Path) -> None:
    overrides = [*options, "trainer.max_epochs=3", "trainer.accelerator=cpu", "+trainer.limit_train_batches=3"]
    keep = Checkpoints.keep

    def keep_and_stop(self: Checkpoints, trainer: Trainer, task: Task, epoch: int) -> None:
        keep(self, trainer, task, epoch)
        raise KeyboardInterrupt

    train(compose(*overrides), run_dir=tmp_path / "whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checkpoints, "keep", keep_and_stop)
        with pytest.raises(KeyboardInterrupt):
            train(compose(*overrides), run_dir=tmp_path / "stopped")
    assert len(history(tmp_path / "stopped")) == 1
    resume(tmp_path / "stopped")
    assert history(tmp_path / "whole") == history(tmp_path / "stopped")
    for checkpoint in ("best", "last"):
        assert same_weights(tmp_path / "whole", tmp_path / "stopped", checkpoint)


@pytest.mark.parametrize("devices", [1, 2])
def test_an_interrupted_run_says_how_to_go_on(devices: int, tmp_path: Path) -> None:
    overrides = ["model=linear", "trainer.max_epochs=500", "trainer.accelerator=cpu", f"trainer.devices={devices}"]
    done = stop(tmp_path, "run", [*overrides, "run_dir=run"], after_epochs=2, number=signal.SIGINT)
    assert done.returncode == 130
    assert done.stdout.count("interrupted; go on with") == 1
    assert "resume=run" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert RunFolder(tmp_path / "run").metrics()["status"] == "interrupted"


def test_an_interrupted_sweep_still_ranks_its_jobs(tmp_path: Path) -> None:
    arguments = ["-m", "model=linear", "trainer.accelerator=cpu", "trainer.max_epochs=2,500", "hydra.sweep.dir=sweep"]
    done = stop(tmp_path, "sweep/1", arguments, after_epochs=2, number=signal.SIGINT)
    assert done.returncode == 130
    with (tmp_path / "sweep" / "summary.csv").open(newline="") as file:
        assert [row["status"] for row in csv.DictReader(file)] == ["completed", "failed"]


def test_a_resumed_run_that_cannot_go_on_keeps_its_folder(tmp_path: Path) -> None:
    folder = RunFolder.create(RunConfig.from_overrides("data=mnist", f"data.dir={tmp_path}"), tmp_path / "run")
    before = sorted(path.name for path in folder.path.iterdir())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MNIST, "url", "http://127.0.0.1:9/")
        with pytest.raises(ValueError, match="cannot be reached"):
            resume(folder.path)
    assert {path.name for path in folder.path.iterdir()} >= set(before)


def test_a_resumed_run_finds_data_that_has_moved(tmp_path: Path) -> None:
    write_mnist(tmp_path / "there")
    config = RunConfig.from_overrides("model=linear", "trainer.max_epochs=1", "data=mnist", "data.dir=/nowhere")
    folder = RunFolder.create(config, tmp_path / "run")
    assert resume(folder.path, data_dir=tmp_path / "there")["status"] == "completed"


def test_another_config_for_a_resumed_run_is_refused(script: Script, tmp_path: Path) -> None:
    done = script("train", f"resume={tmp_path}", "optimizer.lr=0.1")
    assert done.returncode == 1
    assert "optimizer.lr=0.1 needs a new run" in done.stderr


def test_a_complete_run_is_not_trained_again(trained_run: Path) -> None:
    with pytest.raises(ValueError, match="is complete"):
        train(compose(f"resume={trained_run}"))


def test_a_folder_that_is_no_run_cannot_be_resumed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"resume=.*no run folder"):
        train(compose(f"resume={tmp_path}"))


def test_a_run_folder_is_never_taken_for_a_new_run(trained_run: Path) -> None:
    before = (trained_run / "metrics.json").read_bytes()
    with pytest.raises(ValueError, match="there is a run already"):
        train(compose(f"run_dir={trained_run}"))
    assert (trained_run / "metrics.json").read_bytes() == before
