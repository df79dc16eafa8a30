import json
import shutil
from pathlib import Path

import pytest

from firstlight.config.compose import compose
from firstlight.runs.evaluate import evaluate
from firstlight.training.run import train
from helpers.generate import write_mnist
from helpers.runs import TINY


def test_the_test_metrics_are_those_of_training_to_the_last_digit(trained_run: Path) -> None:
    metrics = json.loads((trained_run / "metrics.json").read_text())
    measured = evaluate(trained_run, accelerator="cpu")
    assert measured == {name: value for name, value in metrics.items() if name.startswith("test/")}


def test_validation_is_measured_on_the_part_that_training_held_out(trained_run: Path) -> None:
    metrics = json.loads((trained_run / "metrics.json").read_text())
    measured = evaluate(trained_run, split="val", accelerator="cpu")
    assert measured == {name: value for name, value in metrics.items() if name.startswith("val/")}


def test_a_moved_run_and_moved_data_are_no_hindrance(tmp_path: Path) -> None:
    write_mnist(tmp_path / "here")
    metrics = train(compose(*TINY, "data=mnist", f"data.dir={tmp_path / 'here'}"), run_dir=tmp_path / "run")
    shutil.move(tmp_path / "run", tmp_path / "moved")
    shutil.move(tmp_path / "here", tmp_path / "there")
    measured = evaluate(tmp_path / "moved", data={"dir": str(tmp_path / "there")}, accelerator="cpu")
    assert measured["test/loss"] == metrics["test/loss"]


def test_other_data_than_the_run_was_trained_on_is_refused(tmp_path: Path) -> None:
    write_mnist(tmp_path / "own")
    write_mnist(tmp_path / "other", num_train=100)
    train(compose(*TINY, "data=mnist", f"data.dir={tmp_path / 'own'}"), run_dir=tmp_path / "run")
    with pytest.raises(ValueError, match="other data"):
        evaluate(tmp_path / "run", data={"dir": str(tmp_path / "other")}, accelerator="cpu")


@pytest.mark.parametrize(("arguments", "told"), [({"split": "tset"}, "'test'"), ({"checkpoint": "bset"}, "best, last")])
def test_what_is_not_there_is_told_with_what_is(arguments: dict[str, str], told: str, trained_run: Path) -> None:
    with pytest.raises(ValueError, match=told):
        evaluate(trained_run, accelerator="cpu", **arguments)
