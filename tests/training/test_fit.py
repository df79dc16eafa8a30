"""Complete runs from a config to the run folder."""

from pathlib import Path

import numpy as np
import pytest
import torch

from firstlight.config import RunConfig
from firstlight.config.compose import compose
from firstlight.runs.load import load_task
from firstlight.tasks import Regression
from firstlight.tasks.build import build_source
from firstlight.training.run import train
from helpers.runs import history, weights


def test_a_linear_regression_of_two_points_finds_the_line_through_them(tmp_path: Path) -> None:
    words = ("data=line", "data.points=[[1,3],[2,5]]", "model=linear", "task=regression")
    train(compose(*words, "trainer.accelerator=cpu"), run_dir=tmp_path / "run")
    log = (tmp_path / "run" / "train.log").read_text()
    assert "before the first step  val/loss 2.5000  val/mse 2.5000" in log
    assert "y = 2.0000 x + 1.0000" in log
    assert float(history(tmp_path / "run")[0]["train/mse"]) == 2.5
    for checkpoint in ("best", "last"):
        found = weights(tmp_path / "run", checkpoint).values()
        assert [float(value) for value in found] == pytest.approx([2, 1], abs=1e-3)


def test_the_start_of_a_linear_network_comes_from_the_model_or_the_data() -> None:
    assert compose("data=line").model.start == [-1, 5]
    assert compose("data=line", "data.start=[0,1]").model.start == [0, 1]
    assert compose("data=line", "model.start=[0,1]").model.start == [0, 1]
    assert compose("data=line", "data.start=null").model.start is None
    assert compose("data=diabetes").model.start is None


@pytest.mark.slow
def test_a_linear_regression_on_diabetes_converges_to_the_least_squares_solution(tmp_path: Path) -> None:
    config = RunConfig.from_overrides("data=diabetes", "trainer.accelerator=cpu")
    train(config, run_dir=tmp_path / "run")
    _, splits = build_source(config).splits(config.seed)
    inputs, targets = splits["train"].take(torch.arange(len(splits["train"])))
    for checkpoint in ("best", "last"):
        task = load_task(tmp_path / "run", checkpoint)
        assert isinstance(task, Regression)
        columns = task.preprocess(inputs).double().numpy()
        column = ((targets - task.target_mean) / task.target_std).double().numpy()[:, 0]
        expected = np.linalg.lstsq(np.column_stack([columns, np.ones(len(columns))]), column)[0]
        found = torch.cat([task.network.output.weight[0], task.network.output.bias]).detach().numpy()
        assert np.abs(found - expected).max() < 1e-3


@pytest.mark.parametrize(
    ("words", "commands"),
    [
        (["model=linear"], {"evaluate", "predict", "curves"}),
        (["model=vae", "model.hidden_sizes=[4]"], {"evaluate", "predict", "sample", "curves"}),
        (["model=gan", "model.base_channels=4"], {"evaluate", "sample", "curves"}),
        (["data=iris"], {"evaluate", "predict", "curves"}),
    ],
)
def test_the_closing_text_names_the_commands_that_fit_the_run(
    words: list[str], commands: set[str], tmp_path: Path
) -> None:
    quick = ("trainer.max_epochs=1", "trainer.accelerator=cpu", "+trainer.limit_train_batches=2")
    train(compose(*words, *quick), run_dir=tmp_path / "run")
    last = (tmp_path / "run" / "train.log").read_text().split("run folder")[-1].splitlines()[1:]
    assert {line.split()[0] for line in last if line} == commands
