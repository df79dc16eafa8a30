"""Layers such as `torch.nn.LazyLinear` take their sizes from the first batch, as in a plain Trainer."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from firstlight.networks.network import has_lazy_layers, num_parameters
from firstlight.runs.load import load_task
from firstlight.training.run import resume, train
from firstlight.training.trainees.evaluate import evaluate
from helpers.lightning_modules import LazyNetwork
from helpers.records import same_run
from helpers.template_runs import config_of

LAZY = "helpers.lightning_modules.Lazy"
MODULE = {"task": {"_target_": LAZY}}
MODULE_OF_TEN = {"task": {"_target_": LAZY, "classes": 10}}
NETWORK = {"model": {"_target_": "helpers.lightning_modules.LazyNetwork", "width": 8}}
NETWORK_OF_TEN = {"model": {"_target_": "helpers.lightning_modules.LazyNetwork", "classes": 10}}
POINTS = {"data": {"_target_": "helpers.lightning_modules.Points"}}
OF_MODULE = ("monitor=val_loss", "logger=csv")
# Words, nodes, and the parameters of the layers: linear, batch norm and linear, of 3 or 64 inputs and 3 or 10 outputs.
RUNS: list[Any] = [
    (OF_MODULE, MODULE | POINTS, 3 * 8 + 8 + 16 + 8 * 3 + 3),
    ((*OF_MODULE, "data=digits"), MODULE_OF_TEN, 64 * 8 + 8 + 16 + 8 * 10 + 10),
    (("data=digits", "logger=csv"), NETWORK_OF_TEN, 64 * 8 + 8 + 16 + 8 * 10 + 10),
    (("monitor=val/loss", "logger=csv"), NETWORK | POINTS, 3 * 8 + 8 + 16 + 8 * 3 + 3),
]


@pytest.mark.parametrize(("words", "nodes", "number"), RUNS)
def test_a_run_with_lazy_layers_is_trained_resumed_and_evaluated(
    words: tuple[str, ...], nodes: dict[str, Any], number: int, tmp_path: Path
) -> None:
    whole, short = tmp_path / "whole", tmp_path / "short"
    train(config_of(*words, "trainer.max_epochs=2", **nodes), run_dir=whole)
    train(config_of(*words, "trainer.max_epochs=2", "+trainer.limit_train_batches=1", **nodes), run_dir=short)
    metrics = json.loads((whole / "metrics.json").read_text())
    assert metrics["parameters"] == number
    assert f"{number} parameters, " in (whole / "train.log").read_text()
    split = "val" if "data" in nodes else "test"
    found = evaluate(whole, split=split, accelerator="cpu", trust=True)
    assert found == pytest.approx({name: metrics[name] for name in found})
    assert {name for name in found if name.startswith(split)}
    resume(short, max_epochs=3)
    assert json.loads((short / "metrics.json").read_text())["parameters"] == number


def test_a_run_with_lazy_layers_goes_on_as_if_it_had_not_ended(tmp_path: Path) -> None:
    nodes = MODULE | POINTS
    train(config_of(*OF_MODULE, "trainer.max_epochs=3", **nodes), run_dir=tmp_path / "whole")
    train(config_of(*OF_MODULE, "trainer.max_epochs=2", **nodes), run_dir=tmp_path / "prolonged")
    resume(tmp_path / "prolonged", max_epochs=3)
    same_run(tmp_path / "whole", tmp_path / "prolonged")


def test_the_opening_line_says_that_lazy_layers_are_not_counted_yet(tmp_path: Path) -> None:
    train(config_of(*OF_MODULE, "trainer.max_epochs=1", **MODULE, **POINTS), run_dir=tmp_path)
    assert ": 0 parameters and those of lazy layers of Lazy, seed" in (tmp_path / "train.log").read_text()


def test_a_lazy_network_has_its_sizes_before_the_training(tmp_path: Path) -> None:
    train(config_of("data=digits", "trainer.max_epochs=1", **NETWORK_OF_TEN), run_dir=tmp_path)
    assert "626 parameters, inputs 1x8x8" in (tmp_path / "train.log").read_text()
    task = load_task(tmp_path, trust=True)
    assert not has_lazy_layers(task)
    assert task.network(torch.zeros(2, 1, 8, 8)).shape == (2, 10)


def test_the_known_parameters_of_a_lazy_network_are_counted() -> None:
    network = torch.nn.Sequential(torch.nn.Linear(2, 3), LazyNetwork())
    assert has_lazy_layers(network)
    assert num_parameters(network) == 9
    network(torch.zeros(2, 2))
    assert not has_lazy_layers(network)
    assert num_parameters(network) == 9 + 3 * 8 + 8 + 16 + 8 * 3 + 3
