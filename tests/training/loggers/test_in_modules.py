"""The code of a LightningModule finds the folder and the experiment of the loggers that a run has."""

import csv
from pathlib import Path

import pytest

from firstlight.training.loggers import CSV, TensorBoard
from firstlight.training.loggers.run_logger import RunDetails
from firstlight.training.run import train
from helpers.template_runs import config_of

MODULE = {"_target_": "helpers.lightning_modules.UsesItsLogger", "network": 3}
POINTS = {"_target_": "helpers.lightning_modules.Points"}
WORDS = ("monitor=val_loss", "trainer.max_epochs=2")


def test_a_module_writes_with_each_of_its_loggers(tmp_path: Path) -> None:
    train(config_of(*WORDS, "logger=[tensorboard,csv]", task=MODULE, data=POINTS), run_dir=tmp_path)
    assert {(tmp_path / name / "mine.txt").read_text() for name in ("csv", "tensorboard")} == {str(tmp_path)}
    with (tmp_path / "csv" / "metrics.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["mine/number"]]
    assert [(row["step"], row["mine/number"]) for row in rows] == [("5", "3.5"), ("10", "3.5")]
    assert "mine_option,7" in (tmp_path / "csv" / "hyperparameters.csv").read_text()
    assert numbers(tmp_path / "tensorboard") == [(5, 3.5), (10, 3.5)]


def test_the_experiment_of_csv_exists_on_the_first_rank_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logger = CSV()
    logger.attach(RunDetails(tmp_path, "mine/run", "mine"))
    assert (logger.log_dir, logger.root_dir) == (str(tmp_path / "csv"), str(tmp_path))
    logger.begin(0, 0)
    logger.experiment.log_metrics({"loss": 1.0}, step=3)
    monkeypatch.setattr("lightning.pytorch.utilities.rank_zero_only.rank", 1)
    logger.experiment.log_metrics({"loss": 2.0}, step=4)
    monkeypatch.setattr("lightning.pytorch.utilities.rank_zero_only.rank", 0)
    logger.save()
    assert (tmp_path / "csv" / "metrics.csv").read_text() == "step,loss\n3,1.0\n"


def test_the_folder_of_tensorboard_lies_in_the_run(tmp_path: Path) -> None:
    logger = TensorBoard()
    logger.attach(RunDetails(tmp_path, "mine/run", "mine"))
    assert (logger.log_dir, logger.root_dir) == (str(tmp_path / "tensorboard"), str(tmp_path))


def numbers(folder: Path) -> list[tuple[int, float]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(next(folder.glob("*.module"))))
    events.Reload()
    return [(event.step, event.value) for event in events.Scalars("mine/number")]
