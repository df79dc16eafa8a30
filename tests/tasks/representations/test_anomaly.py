from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from firstlight.config.compose import compose
from firstlight.data import Split
from firstlight.networks import CNN, Autoencoder
from firstlight.runs import RunFolder
from firstlight.runs.evaluate import evaluate
from firstlight.runs.load import load_task
from firstlight.spec import DataSpec
from firstlight.tasks import Anomaly
from firstlight.tasks.metrics.ranking import auroc
from firstlight.tasks.representations.error_histogram import ErrorHistogram
from firstlight.training.run import train
from helpers.small import IMAGES, augment, images, metrics_of


def anomaly(**options: Any) -> Anomaly:
    torch.manual_seed(0)
    network = Autoencoder(IMAGES, convolutional=False, hidden_sizes=[8], latent_dim=2)
    return Anomaly(IMAGES, network, augment(IMAGES), **{"normal": "b", **options}).eval()


def histogram(errors: Tensor, is_other: Tensor) -> ErrorHistogram:
    meter = ErrorHistogram(("count",), dict, torch.device("cpu"))
    for part in (slice(None, 7), slice(7, None)):
        meter.add_errors(errors[part], is_other[part])
    return meter


def test_the_area_under_the_curve_is_that_of_all_pairs() -> None:
    random = torch.Generator().manual_seed(0)
    errors = torch.rand(200, generator=random)
    errors[::10] = 0.5  # ties
    is_other = torch.rand(200, generator=random) < errors
    found = histogram(errors, is_other)
    assert found.auroc == pytest.approx(auroc(errors.numpy(), is_other.numpy()), abs=1e-3)
    assert torch.isnan(torch.tensor(histogram(errors, torch.zeros(200, dtype=torch.bool)).auroc))
    hand = histogram(torch.tensor([0.1, 0.2, 0.3, 0.3]), torch.tensor([False, True, False, True]))
    assert hand.auroc == (1 + 0 + 1 + 0.5) / 4


def test_the_quantile_is_that_of_normal_samples() -> None:
    errors = torch.arange(1, 101) / 100
    found = histogram(torch.cat([errors, errors + 5]), torch.arange(200) >= 100)
    assert float(found.quantile(0.95)) == pytest.approx(0.95, rel=1e-3)
    assert torch.isnan(histogram(errors, errors > 0).quantile(0.5))


def test_the_loss_is_that_of_normal_images_and_the_error_that_of_each() -> None:
    task, (raw, classes) = anomaly(), images(30)
    with torch.no_grad():
        errors = (task.network(task.preprocess(raw)) - raw / 255).square().flatten(1).mean(1)
    is_normal = classes == 1
    found = metrics_of(task, (raw[:13], classes[:13]), (raw[13:], classes[13:]))
    assert found["loss"] == pytest.approx(float(errors[is_normal].mean()), rel=1e-5)
    assert found["auroc"] == pytest.approx(auroc(errors.numpy(), ~is_normal.numpy()), abs=0.01)
    assert set(found) == {metric.name for metric in task.metrics_of("test")}
    assert [row["error"] for row in task.predict_rows(raw)] == pytest.approx(errors.tolist(), abs=1e-6)


def test_only_validations_set_the_threshold_of_predictions() -> None:
    task, (raw, classes) = anomaly(quantile=0.5), images(40)
    metrics_of(task, (raw, classes))
    assert task.threshold == 0
    task.begin_validation(0)
    metrics_of(task, (raw, classes))
    errors = task.errors(raw)
    assert float((errors[classes == 1] <= task.threshold).float().mean()) == pytest.approx(0.5, abs=0.1)
    rows = task.predict_rows(raw)
    assert [row["verdict"] == "anomaly" for row in rows] == (errors > task.threshold).tolist()
    assert task.cells(rows[0]) == (rows[0]["verdict"], f"error {rows[0]['error']:.6f}")
    before = task.threshold.clone()
    metrics_of(task, (raw[:5], classes[:5]))
    assert torch.equal(task.threshold, before)
    task.use_threshold(0)
    assert {row["verdict"] for row in task.predict_rows(raw)} == {"anomaly"}


def test_it_trains_on_normal_images_alone() -> None:
    task, (raw, classes) = anomaly(), images(30)
    assert task.training_samples(Split(raw, classes)).own_targets.tolist() == [1] * int((classes == 1).sum())
    with pytest.raises(ValueError, match=r"task.normal=b: must be a class with images in the training split"):
        task.training_samples(Split(raw, classes * 0))


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="normal=null: must be the normal class; known: a, b, c"):
        anomaly(normal=None)
    with pytest.raises(ValueError, match="normal=7: unknown class"):
        anomaly(normal=7)
    with pytest.raises(ValueError, match="quantile=1: must be above 0 and below 1"):
        anomaly(quantile=1)
    with pytest.raises(ValueError, match="must have a network that reconstructs images"):
        Anomaly(IMAGES, CNN(IMAGES), augment(IMAGES), normal="a")
    numbers = DataSpec((1, 8, 8), 1, ("y",), (0.5,), (0.25,), target_mean=(0.0,), target_std=(1.0,))
    with pytest.raises(ValueError, match="task=anomaly: must be regression"):
        Anomaly(numbers, Autoencoder(numbers), augment(numbers), normal="y")


@pytest.mark.parametrize("averaging", ["none", "ema"])
def test_a_run_keeps_its_threshold_and_is_evaluated_again(tmp_path: Path, averaging: str) -> None:
    words = ("data=digits", "model=autoencoder", "task=anomaly", "task.normal=3", f"averaging={averaging}")
    quick = ("trainer.max_epochs=2", "trainer.accelerator=cpu", "figures=false", "logger=none")
    train(compose(*words, *quick), run_dir=tmp_path / "run")
    metrics, task = RunFolder.open(tmp_path / "run").metrics(), load_task(tmp_path / "run")
    assert {"train/loss", "val/auroc", "test/auroc"} <= set(metrics)
    assert "train/auroc" not in metrics
    assert isinstance(task, Anomaly)
    before = float(task.threshold)
    assert before > 0
    again = evaluate(tmp_path / "run", figures=False)
    assert {name: metrics[name] for name in again} == pytest.approx(again, rel=1e-5)
