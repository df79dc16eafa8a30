from pathlib import Path

import firstlight as fl
import torch

from my_project.data import Stripes
from my_project.metric import Confidence
from my_project.network import TwoLayers


def test_the_data_set_has_two_classes_in_every_split(tmp_path: Path) -> None:
    store, splits = Stripes(str(tmp_path)).splits(seed=1)
    assert store.spec.labels == ("across", "down")
    assert {name: len(split) for name, split in splits.items()} == {"train": 450, "val": 50, "test": 100}


def test_the_network_returns_a_logit_for_each_class(tmp_path: Path) -> None:
    spec = Stripes(str(tmp_path)).store().spec
    assert TwoLayers(spec)(torch.zeros(3, *spec.input_shape)).shape == (3, 2)


def test_the_metric_is_the_mean_probability_of_the_true_class() -> None:
    metric = Confidence()
    metric.update(torch.tensor([[0.5, 0.5], [0.25, 0.75]]), torch.tensor([0, 1]))
    assert float(metric.compute()) == (0.5 + 0.75) / 2


def test_a_run_learns_and_is_evaluated_with_the_metric(tmp_path: Path) -> None:
    run = fl.train(f"data.dir={tmp_path}", "trainer.accelerator=cpu", run_dir=tmp_path / "run")
    assert run.metrics["test/accuracy"] > 0.9
    assert run.metrics["test/confidence"] > 0.9
