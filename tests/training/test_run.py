import json
import threading
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

from firstlight.config.compose import compose
from firstlight.data import Digits
from firstlight.training.run import _with_absolute_paths, resume, train
from helpers.runs import TINY, history, same_weights


def test_a_run_folder_holds_what_the_readme_says(trained_run: Path) -> None:
    names = {path.name for path in trained_run.iterdir()}
    assert names > {"config.yaml", "spec.json", "metrics.json", "metrics.csv", "checkpoints", "train.log"}
    assert sum(name.startswith("events.out.tfevents") for name in names) == 1
    assert {path.name for path in (trained_run / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}


def test_metrics_are_flat_and_complete(trained_run: Path) -> None:
    metrics = json.loads((trained_run / "metrics.json").read_text())
    scores = ("loss", "accuracy", "precision", "recall", "f1")
    assert metrics.keys() > {f"{split}/{name}" for split in ("train", "val", "test") for name in scores}
    assert metrics.keys() > {"seconds/total", "seconds/fit", "seconds/to_first_step", "samples_per_second"}
    assert metrics["status"] == "completed"
    assert metrics["parameters"] == 650
    assert metrics["flops_per_sample"] == 2 * 640
    assert 0.5 < metrics["test/accuracy"] <= 1


def test_the_best_epoch_is_the_one_with_the_best_monitored_metric(trained_run: Path) -> None:
    metrics = json.loads((trained_run / "metrics.json").read_text())
    rows = history(trained_run)
    best = min(rows, key=lambda row: float(row["val/loss"]))
    assert metrics["epoch"] == int(best["epoch"])
    assert metrics["val/loss"] == float(best["val/loss"])


def test_a_file_of_the_user_is_found_from_any_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prices.csv").touch()
    found = _with_absolute_paths(
        {"dir": "data", "file": "prices.csv"},
        {"size": 8, "flip": None, "replace_synonyms": {"file": "prices.csv"}},
        {"weights": "prices.csv", "width": 4},
    )
    assert found["model"] == {"weights": f"{tmp_path}/prices.csv", "width": 4}
    assert found["data"] == {"dir": f"{tmp_path}/data", "file": f"{tmp_path}/prices.csv"}
    assert found["augment"] == {"size": 8, "flip": None, "replace_synonyms": {"file": f"{tmp_path}/prices.csv"}}


@pytest.mark.parametrize("data", [{"dir": "/data", "file": "iris"}, {"dir": "/data", "file": None}, {"dir": "/data"}])
def test_what_is_no_file_of_the_user_stays_as_it_is(data: dict[str, str | None]) -> None:
    augment, model = {"flip": {"p": 0.5}}, {"weights": "default"}
    assert _with_absolute_paths(data, augment, model) == {"data": data, "augment": augment, "model": model}


def test_the_kept_config_is_complete_and_resolved(trained_run: Path) -> None:
    config = OmegaConf.load(trained_run / "config.yaml")
    assert OmegaConf.select(config, "name") == "digits-linear"
    assert "${" not in (trained_run / "config.yaml").read_text()
    assert Path(OmegaConf.select(config, "data.dir")).is_absolute()


def test_a_checkpoint_describes_itself_in_plain_values(trained_run: Path) -> None:
    checkpoint = torch.load(trained_run / "checkpoints" / "best.ckpt", weights_only=True)
    assert checkpoint["config"] == OmegaConf.to_container(OmegaConf.load(trained_run / "config.yaml"))
    assert checkpoint["spec"] == json.loads((trained_run / "spec.json").read_text())


def test_one_seed_gives_the_same_run_bit_for_bit_and_another_seed_another(trained_run: Path, tmp_path: Path) -> None:
    train(compose(*TINY), run_dir=tmp_path / "again")
    train(compose(*TINY, "seed=2"), run_dir=tmp_path / "other")
    assert same_weights(trained_run, tmp_path / "again")
    assert history(trained_run) == history(tmp_path / "again")
    assert not same_weights(trained_run, tmp_path / "other")


def test_dropout_does_not_depend_on_what_was_drawn_before(tmp_path: Path) -> None:
    overrides = ["model=mlp", "model.dropout=0.5", "trainer.max_epochs=1", "trainer.accelerator=cpu"]
    train(compose(*overrides), run_dir=tmp_path / "one")
    torch.rand(17)
    train(compose(*overrides), run_dir=tmp_path / "two")
    assert same_weights(tmp_path / "one", tmp_path / "two")


def test_a_run_can_be_limited_in_steps_and_is_validated_where_it_ends(tmp_path: Path) -> None:
    metrics = train(compose(*TINY, "trainer.max_steps=50"), run_dir=tmp_path / "run")
    assert history(tmp_path / "run")[-1]["step"] == "50"
    assert "val/loss" in metrics
    assert float(history(tmp_path / "run")[-1]["lr"]) < 1e-6  # the schedule ended with the steps


def test_a_run_without_a_limit_in_epochs_ends_with_its_steps(tmp_path: Path) -> None:
    train(compose(*TINY, "trainer.max_epochs=-1", "trainer.max_steps=50"), run_dir=tmp_path / "run")
    assert [row["step"] for row in history(tmp_path / "run")] == ["41", "50"]


def test_accumulated_batches_count_as_one_step(tmp_path: Path) -> None:
    train(compose(*TINY, "trainer.accumulate_grad_batches=4"), run_dir=tmp_path / "run")
    assert [row["step"] for row in history(tmp_path / "run")] == ["11", "22"]  # of 41 batches each
    assert float(history(tmp_path / "run")[-1]["lr"]) < 1e-6


@pytest.mark.parametrize("scheduler", ["constant", "cosine", "onecycle", "step", "plateau"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "rmsprop", "adagrad"])
def test_every_optimizer_learns_with_every_scheduler(optimizer: str, scheduler: str, tmp_path: Path) -> None:
    metrics = train(compose(*TINY, f"optimizer={optimizer}", f"scheduler={scheduler}"), run_dir=tmp_path / "run")
    assert metrics["val/accuracy"] > 0.3  # one in ten by chance


def test_patience_stops_a_run_that_gets_no_better(tmp_path: Path) -> None:
    hopeless = ["optimizer=sgd", "optimizer.lr=0.0", "patience=2", "trainer.max_epochs=9", "scheduler=constant"]
    train(compose(*TINY, *hopeless), run_dir=tmp_path / "run")
    assert len(history(tmp_path / "run")) == 3


def test_a_run_that_diverges_is_stopped_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    metrics = train(
        compose(*TINY, "optimizer=sgd", "optimizer.lr=1e30", "trainer.max_epochs=9"), run_dir=tmp_path / "run"
    )
    assert len(history(tmp_path / "run")) == 1
    assert metrics["val/loss"] is None
    assert metrics["status"] == "diverged"
    with pytest.raises(ValueError, match="this run has diverged"):
        resume(tmp_path / "run")
    assert "a smaller optimizer.lr may help" in capsys.readouterr().out


def test_callbacks_of_the_config_are_called(tmp_path: Path) -> None:
    content = "_target_: lightning.pytorch.callbacks.EarlyStopping, monitor: val/loss, stopping_threshold: 99"
    train(compose(*TINY, f"+trainer.callbacks=[{{{content}}}]"), run_dir=tmp_path / "run")
    assert len(history(tmp_path / "run")) == 1


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("monitor=val/acuracy", "val/accuracy"),
        ("optimizer.lr=-1", "optimizer: Invalid learning rate"),
        ("augment.size=0", "augment.size=0"),
        ("data.val_fraction=0.9999", "leaves a split empty"),
        ("trainer.max_steps=0", "trainer.max_steps=0"),
        ("trainer.max_epochs=0", "trainer.max_epochs=0"),
        ("patience=0", "patience=0"),
        ("trainer.accelerator=abacus", "trainer: "),
        ("trainer.precision=bf16-true", "trainer.precision=bf16-true: weights are float32"),
        ("task.label_smoothing=2", "label_smoothing=2"),
    ],
)
def test_what_cannot_be_trained_is_refused_and_leaves_nothing(override: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=told):
        train(compose(*TINY, override, f"output_dir={tmp_path / 'outputs'}"))
    assert not list(tmp_path.rglob("config.yaml"))


def test_a_network_without_anything_to_learn_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="model: nothing in this ConvFilters can learn"):
        train(compose("model=conv_filters", "model.classifier=false", f"output_dir={tmp_path / 'outputs'}"))
    assert not list(tmp_path.rglob("config.yaml"))


@pytest.mark.parametrize("devices", [1, 2])
def test_what_fails_unexpectedly_before_the_training_leaves_its_traceback_and_no_folder(
    devices: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = [f"data.dir={tmp_path / 'data'}", f"output_dir={tmp_path / 'outputs'}", f"trainer.devices={devices}"]
    Digits(str(tmp_path / "data")).store()
    (facts,) = (tmp_path / "data").rglob("spec.json")
    facts.write_text('{"colour": "unknown"}')  # no mistake of the user
    with pytest.raises((TypeError, RuntimeError)):
        train(compose(*TINY, *words))
    told = capfd.readouterr().err
    assert "Traceback (most recent call last)" in told
    assert "TypeError: DataSpec.__init__() got an unexpected keyword argument 'colour'" in told
    assert not (tmp_path / "outputs").exists()


def test_an_image_smaller_than_the_network_takes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="model: LeNet takes images of 32x32 or more, not 16x16"):
        train(compose("augment.size=16", f"output_dir={tmp_path}"))


def test_a_run_that_fails_while_training_keeps_its_cause(tmp_path: Path) -> None:
    broken = "+trainer.callbacks=[{_target_: lightning.pytorch.callbacks.EarlyStopping, monitor: nothing}]"
    with pytest.raises(RuntimeError, match="nothing"):
        train(compose(*TINY, broken), run_dir=tmp_path / "run")
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["status"] == "failed"
    assert "nothing" in metrics["error"]
    assert "Traceback" in (tmp_path / "run" / "train.log").read_text()


def test_importing_and_training_leave_no_thread_behind(tmp_path: Path) -> None:
    before = threading.active_count()
    train(compose(*TINY), run_dir=tmp_path / "run")
    assert threading.active_count() == before
