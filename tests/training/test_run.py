import itertools
import json
import threading
from pathlib import Path

import pytest
import torch
from omegaconf import DictConfig, OmegaConf

from firstlight.config import CONFIG_DIR, RunConfig
from firstlight.config.compose import compose
from firstlight.training.run import resume, train
from helpers.runs import TINY, history, same_weights


def names_in(group: str) -> list[str]:
    return sorted(path.stem for path in (CONFIG_DIR / group).glob("[!_]*.yaml"))


def test_a_run_folder_holds_what_the_readme_says(trained_run: Path) -> None:
    names = {path.name for path in trained_run.iterdir()}
    assert names > {"config.yaml", "spec.json", "metrics.json", "metrics.csv", "checkpoints", "train.log"}
    places = {path.parent.relative_to(trained_run) for path in trained_run.rglob("events.out.tfevents.*")}
    assert places == {Path("tensorboard"), Path("tensorboard/train"), Path("tensorboard/val")}
    assert {path.name for path in (trained_run / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}


def test_the_config_in_the_run_folder_is_complete_and_resolved(trained_run: Path) -> None:
    text = (trained_run / "config.yaml").read_text()
    config = OmegaConf.create(text)
    assert config.name == "digits-linear"
    assert "${" not in text
    assert Path(config.data.dir).is_absolute()


def test_the_config_in_a_run_folder_trains_the_same_run_again(trained_run: Path, tmp_path: Path) -> None:
    config = OmegaConf.load(trained_run / "config.yaml")
    assert isinstance(config, DictConfig)
    train(config, run_dir=tmp_path / "again")
    assert same_weights(trained_run, tmp_path / "again")
    assert history(trained_run) == history(tmp_path / "again")


def test_another_seed_trains_another_run(trained_run: Path, tmp_path: Path) -> None:
    train(compose(*TINY, "seed=2"), run_dir=tmp_path / "other")
    assert not same_weights(trained_run, tmp_path / "other")


def test_dropout_does_not_depend_on_earlier_random_numbers(tmp_path: Path) -> None:
    config = RunConfig.from_overrides(*TINY, "model=mlp", "model.dropout=0.5", "trainer.max_epochs=1")
    train(config, run_dir=tmp_path / "one")
    torch.rand(17)
    train(config, run_dir=tmp_path / "two")
    assert same_weights(tmp_path / "one", tmp_path / "two")


# The slow tests train every optimizer with the default scheduler, and every scheduler with the default optimizer.
@pytest.mark.parametrize(
    ("optimizer", "scheduler"), [*zip(names_in("optimizer"), itertools.cycle(names_in("scheduler")), strict=False)]
)
def test_a_run_learns_with_every_optimizer_and_every_scheduler(optimizer: str, scheduler: str, tmp_path: Path) -> None:
    words = ["optimizer.lr=3e-3"] if optimizer == "lion" else []  # its steps have one size; two epochs are few
    config = compose(*TINY, f"optimizer={optimizer}", f"scheduler={scheduler}", *words)
    metrics = train(config, run_dir=tmp_path / "run")
    assert metrics["val/accuracy"] > 0.3  # chance is 0.1


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["monitor=val/acuracy"], "monitor=val/acuracy: .*val/accuracy"),
        (["optimizer.lr=-1"], r"optimizer\.lr=-1: must be at least 0"),
        (["augment.size=0"], "augment.size=0"),
        (["augment.size=16", "model=lenet"], "32x32, not 16x16 .LeNet"),
        (["data.val_fraction=0.9999"], "data.val_fraction=0.9999"),
        (["task.label_smoothing=2"], "task.label_smoothing=2"),
        (["trainer.accelerator=abacus"], "trainer.accelerator=abacus: unknown"),
        (["model=conv_filters", "model.classifier=false"], "model: ConvFilters must have parameters that learn"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_run_that_cannot_be_trained_leaves_no_folder(overrides: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        train(compose(*TINY, *overrides, f"output_dir={tmp_path / 'outputs'}"))
    assert not (tmp_path / "outputs").exists()


def test_a_run_that_is_interrupted_before_its_first_step_can_be_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("firstlight.training.assemble.build_source", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train(compose(*TINY), run_dir=tmp_path / "run")
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["status"] == "interrupted"
    assert resume(tmp_path / "run")["status"] == "completed"


def test_training_leaves_no_thread_behind(tmp_path: Path) -> None:
    before = threading.active_count()
    train(compose(*TINY), run_dir=tmp_path / "run")
    assert threading.active_count() == before
