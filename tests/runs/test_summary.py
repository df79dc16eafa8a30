from pathlib import Path

import pytest

from firstlight.config import RunConfig
from firstlight.runs import RunFolder
from firstlight.runs.load import load_task
from firstlight.runs.summary import closing_text, metrics_table, opening_text
from firstlight.tasks.build import build_task
from helpers.small import IMAGES, NUMBERS, TOKENS


def test_the_table_has_a_row_for_each_split_and_a_column_for_each_metric() -> None:
    table = metrics_table({"val/loss": 0.25, "test/loss": 0.5, "test/accuracy": 1.0, "status": "completed"})
    assert [line.split() for line in table.splitlines()] == [
        ["loss", "accuracy"],
        ["val", "0.250000"],
        ["test", "0.500000", "1.000000"],
    ]


def test_the_columns_of_the_table_are_aligned() -> None:
    table = metrics_table({"train/mse": 28901289.5, "train/r2": -1.0, "val/mse": 1.0, "val/r2": 0.5})
    header, *rows = table.splitlines()
    assert rows[0].split() == ["train", "28901289.500000", "-1.000000"]
    assert len({len(line) for line in (header, *rows)}) == 1
    assert header.index("mse") + 3 == rows[0].index("28901289.500000") + 15


def test_the_opening_text_shows_the_parameters_the_inputs_and_the_sizes_of_the_splits() -> None:
    splits = {"test": [0] * 30, "val": [0] * 200, "train": [0] * 1000}
    task = build_task(RunConfig.from_overrides("model=linear"), IMAGES)
    assert opening_text("digits-linear", 5, task, splits) == (
        "digits-linear: 195 parameters, inputs 1x8x8, samples 1,000 train, 200 val, 30 test, seed 5"
    )
    frozen = build_task(RunConfig.from_overrides("model=lenet", "model.freeze=backbone"), IMAGES)
    assert "(255 of them learn)" in opening_text("digits-lenet", 5, frozen, splits)


def test_the_closing_text_shows_the_metrics_and_the_commands_that_use_the_run(
    trained_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trained_run.parent)
    monkeypatch.delenv("UV", raising=False)
    folder = RunFolder(trained_run)
    text = closing_text(folder, folder.metrics(), load_task(trained_run))
    assert metrics_table(folder.metrics()) in text
    assert f"best epoch {folder.metrics()['epoch']} by val/loss" in text
    assert "run folder  trained\n" in text
    assert "evaluate.py run=trained\n" in text
    assert "predict.py run=trained input=<image or folder>\n" in text
    assert "sample.py" not in text
    assert text.endswith("tensorboard --logdir trained")


def test_the_closing_text_offers_only_commands_that_the_run_permits(trained_run: Path) -> None:
    metrics = RunFolder(trained_run).metrics()
    for words, spec, commands in (
        (["model=gan"], IMAGES, {"evaluate", "sample"}),
        (["data=diabetes", "model=mlp"], NUMBERS, {"evaluate", "predict"}),
        (["data=text", "model=lstm"], TOKENS, {"evaluate", "predict", "sample"}),
        (["model=autoencoder", "model.hidden_sizes=[4]"], IMAGES, {"evaluate", "predict"}),
    ):
        task = build_task(RunConfig.from_overrides(*words, "optimizer.lr=1e-3"), spec, training=False)
        text = closing_text(RunFolder(trained_run), metrics, task)
        assert {line.split()[0] for line in text.splitlines() if ".py" in line} == commands
        inputs = {"images": "<image or folder>", "numbers": "<table.csv>", "tokens": "<text or file>"}[spec.kind]
        assert (f"input={inputs}" in text) == ("predict" in commands)
