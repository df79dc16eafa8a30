import csv
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn

from firstlight.config import RunConfig
from firstlight.config.compose import compose
from firstlight.training.run import train
from firstlight.training.watching.dead_relus import DeadReLUs
from helpers.runs import history, same_weights, weights

SMALL = ("trainer.max_epochs=2", "trainer.accelerator=cpu", "data.train_fraction=0.1", "figures=false")
WATCHED = ("watch.gap=50", "watch.layers=true", "watch.histograms=true", "watch.every=2")
RNN = ("model=lstm", "model.hidden_size=8", "data.batch_size=64")


def rows_of(folder: Path) -> list[dict[str, str]]:
    """Return the rows of the logger `csv`."""
    (path,) = [path for path in folder.rglob("*.csv") if "weight_norm" in path.read_text()]
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    "words",
    [
        ("model=cnn", "model.filters=[4]", "model.hidden_sizes=[8]", "augment=light"),
        ("model=mlp", "trainer.accumulate_grad_batches=3", "trainer.precision=bf16-mixed"),
        ("model=gan", "model.base_channels=4"),
        RNN,
    ],
    ids=["cnn", "accumulation and mixed precision", "gan", "lstm"],
)
def test_watching_changes_no_weight_and_no_metric(words: tuple[str, ...], tmp_path: Path) -> None:
    for name, more in (("plain", ()), ("watched", WATCHED)):
        train(compose(*SMALL, *words, *more), run_dir=tmp_path / name)
    assert same_weights(tmp_path / "plain", tmp_path / "watched", "last")
    plain, watched = (history(tmp_path / name) for name in ("plain", "watched"))
    assert [{name: row[name] for name in plain[0]} for row in watched] == plain
    assert set(watched[0]) - set(plain[0]) == {name.replace("val/", "gap/") for name in plain[0] if "val/" in name}


def test_the_gap_is_that_of_one_evaluation_and_leads_away_from_the_better_value(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without dropout and at a rate of zero, the training metrics are those of an evaluation."""
    words = (*SMALL, "model=linear", "optimizer=sgd", "optimizer.lr=0", "scheduler=constant", "logger=tensorboard")
    metrics = train(compose(*words, "watch.gap=100000"), run_dir=tmp_path / "run")
    for row in history(tmp_path / "run"):
        found = {name: float(value) for name, value in row.items()}
        assert found["gap/accuracy"] == pytest.approx(found["train/accuracy"] - found["val/accuracy"], abs=1e-6)
        assert found["gap/loss"] == pytest.approx(found["val/loss"] - found["train/loss"], abs=1e-5)
    assert metrics["gap/accuracy"] == pytest.approx(found["gap/accuracy"])
    assert f"gap/accuracy {found['gap/accuracy']:.4f}" in capsys.readouterr().out
    for split in ("train", "val", "gap"):  # one chart
        events = EventAccumulator(str(tmp_path / "run" / "tensorboard" / split)).Reload()
        assert [event.step for event in events.Scalars("accuracy")] == [5, 10]


def test_the_gap_of_a_frozen_backbone_is_that_of_the_samples_without_augmentation(tmp_path: Path) -> None:
    words = ("model=cnn", "model.filters=[4]", "model.hidden_sizes=[8]", "model.freeze=backbone")
    values = []
    for number in (0, 2):
        views = ("augment=light", f"augment.views={number}") if number else ()
        rate = ("optimizer=sgd", "optimizer.lr=0", "scheduler=constant")
        train(compose(*SMALL, *words, *views, *rate, "watch.gap=100"), run_dir=tmp_path / str(number))
        values.append([row["gap/loss"] for row in history(tmp_path / str(number))])
    assert values[0] == values[1]


def test_the_values_of_each_layer_are_those_of_its_last_step(tmp_path: Path) -> None:
    """Gradient descent: the update is the learning rate times the gradient."""
    words = ("model=mlp", "model.hidden_sizes=[4]", "optimizer=sgd", "optimizer.lr=0.5", "scheduler=constant")
    train(
        compose(*SMALL, *words, "optimizer.weight_decay=0", "watch.layers=true", "logger=csv"), run_dir=tmp_path / "run"
    )
    last = [row for row in rows_of(tmp_path / "run") if row["weight_norm/output"]]
    assert len(last) == 2  # one for each epoch
    state = weights(tmp_path / "run", "last")
    for layer in ("hidden.0", "output"):
        value = {name: float(last[-1][f"{name}/{layer}"]) for name in ("weight_norm", "gradient_norm", "update_ratio")}
        norm = math.hypot(*(float(state[f"network.{layer}.{kind}"].norm()) for kind in ("weight", "bias")))
        assert value["weight_norm"] == pytest.approx(norm, rel=1e-5)
        assert value["update_ratio"] == pytest.approx(0.5 * value["gradient_norm"] / norm, rel=0.1)
    assert 0 <= float(last[-1]["dead_relus/hidden.1"]) <= 1


def test_histograms_are_those_of_the_watched_steps(tmp_path: Path) -> None:
    words = ("model=mlp", "model.hidden_sizes=[4]", "watch.histograms=true", "watch.every=4")
    train(compose(*SMALL, *words), run_dir=tmp_path / "run")
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard"), {"histograms": 0}).Reload()
    found = events.Histograms("weights/output")
    assert [event.step for event in found] == [4, 8]
    assert found[0].histogram_value.num == 4 * 10 + 10
    assert events.Histograms("gradients/hidden.0")[0].histogram_value.num == 64 * 4 + 4


def test_dead_units_are_zero_for_all_samples_and_all_pixels() -> None:
    convolution, linear = nn.Conv2d(1, 4, 1), nn.Linear(16, 2)
    convolution.weight.data = torch.tensor([1.0, -1.0, 0.0, 0.0]).reshape(4, 1, 1, 1)
    convolution.bias.data = torch.tensor([0.0, 0.0, 1.0, -1.0])  # type: ignore[union-attr]
    linear.weight.data, linear.bias.data = torch.zeros(2, 16), torch.tensor([-1.0, -2.0])
    network = nn.Sequential(convolution, nn.ReLU(), nn.Flatten(), linear, nn.ReLU(inplace=True))
    inputs = torch.tensor([[1.0, 0, 0, 0], [0, 2, 0, 0]]).reshape(2, 1, 2, 2)
    watched = DeadReLUs(network)
    network(inputs)
    assert watched.finish() == {"dead_relus/1": 0.5, "dead_relus/4": 1.0}  # the second is alive for negative inputs
    watched = DeadReLUs(network)
    network(inputs)
    network(-inputs)
    assert watched.finish()["dead_relus/1"] == 0.25
    assert not any(layer._forward_hooks for layer in network.modules())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["watch.gap=0"], r"watch\.gap=0: must be at least 1"),
        (["watch.gap=many"], r"watch\.gap=many: must be a whole number or null"),
        (["watch.every=0"], r"watch\.every=0: must be at least 1"),
        (["watch.every=step"], r"watch\.every=step: must be a whole number or epoch"),
        (["+watch.gapp=1"], r"watch\.gapp: unknown option, did you mean 'watch\.gap'"),
        (["watch=1000"], r"watch=1000: must be options, such as watch\.gap=1000"),
        (["watch.layers=true", "logger=none"], r"watch\.layers=true: must be false without a logger"),
        (["watch.histograms=true", "logger=csv"], r"watch\.histograms=true: must be false without logger=tensorboard"),
    ],
)
def test_what_cannot_be_watched_is_refused(words: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RunConfig.from_overrides(*words)


def test_nothing_is_watched_by_default() -> None:
    from firstlight.training.watching import watchers

    recorder: Any = None
    task: Any = object()
    assert watchers(RunConfig.from_overrides().watch, recorder, task, 1) == []
