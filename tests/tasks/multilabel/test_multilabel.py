from typing import Any

import numpy as np
import pytest
import torch
from sklearn import metrics

from firstlight.config import RunConfig
from firstlight.networks import Linear
from firstlight.spec import DataSpec
from firstlight.tasks import Multilabel
from firstlight.tasks.build import build_task
from firstlight.tasks.task import Batch
from helpers.small import IMAGES, augment, fit, metrics_of, train_on

SPEC = DataSpec((2,), 4, ("a", "b", "c", "never"), (0.0, 0.0), (1.0, 1.0), target_type="labels")


def samples(number: int) -> Batch:
    """Inputs of which each label depends on another direction; the last label fits none."""
    inputs = torch.randn(number, 2, generator=torch.Generator().manual_seed(0))
    directions = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, -1.0]])
    targets = (inputs @ directions.T > 0.2).to(torch.uint8)
    return inputs, torch.cat([targets, torch.zeros(number, 1, dtype=torch.uint8)], 1)


def multilabel(**options: Any) -> Multilabel:
    torch.manual_seed(0)
    return Multilabel(SPEC, Linear(SPEC), augment(SPEC), **options)


@pytest.mark.parametrize("threshold", [0.5, 0.3])
def test_the_metrics_equal_those_of_scikit_learn(threshold: float) -> None:
    task, (inputs, targets) = multilabel(threshold=threshold), samples(60)
    found = metrics_of(task, *zip(inputs.split([20, 0, 39, 1]), targets.split([20, 0, 39, 1]), strict=True))
    with torch.no_grad():
        probabilities = task.network(inputs).sigmoid().numpy()
    given, true = probabilities >= threshold, targets.numpy()
    occurs = given.any(0) | true.any(0).astype(bool)
    expected = {
        "f1": metrics.f1_score(true[:, occurs], given[:, occurs], average="macro", zero_division=0),
        "exact": metrics.accuracy_score(true, given),
        "map": metrics.average_precision_score(true[:, :3], probabilities[:, :3], average="macro"),
        "loss": np.mean([metrics.log_loss(true[:, i], probabilities[:, i], labels=[0, 1]) for i in range(4)]),
    }
    assert found == pytest.approx(expected, rel=1e-5)
    assert set(found) == {metric.name for metric in task.metrics_of("val")}
    assert {metric.name for metric in task.metrics_of("train")} == set(task.train().new_meter().compute())


def test_it_overfits_and_predicts_the_labels_from_the_threshold_on() -> None:
    task, (inputs, targets) = multilabel(), samples(40)
    assert train_on(task, (inputs, targets), steps=300, lr=0.1) < 0.2
    rows = task.eval().predict_rows(inputs)
    sets = [{label for label, fits in zip(SPEC.labels, row, strict=True) if fits} for row in targets.tolist()]
    right = [set(filter(None, row["labels"].split(", "))) == found for row, found in zip(rows, sets, strict=True)]
    assert sum(right) >= 36
    assert [*rows[0]] == ["labels", "probability_a", "probability_b", "probability_c", "probability_never"]
    none = next(row for row in rows if not row["labels"])
    assert task.cells(none) == ("none",)
    best = max(rows, key=lambda row: row["probability_a"])
    assert task.details(best)[0][::2] in {("a", "fits"), ("c", "fits")}
    task.use_threshold(1e-30)
    assert {row["labels"] for row in task.predict_rows(inputs)} == {"a, b, c, never"}


def test_a_run_trains_with_any_classifier_and_added_metrics() -> None:
    spec = DataSpec((1, 8, 8), 3, ("a", "b", "c"), (0.5,), (0.25,), target_type="labels")
    raw = torch.randint(0, 256, (12, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    targets = (torch.arange(36).view(12, 3) % 2).to(torch.uint8)
    words = "model=cnn", "task=multilabel", "+task.metrics.auroc={_target_: torchmetrics.AUROC}", "monitor=val/map"
    module, _ = fit(spec, (raw, targets), *words, batch_size=6)
    assert {"train/f1", "val/map", "val/auroc", "val/exact"} <= set(module.metrics)
    assert "train/map" not in module.metrics


def test_errors() -> None:
    with pytest.raises(ValueError, match=r"^threshold=1: must be above 0 and below 1"):
        multilabel(threshold=1)
    with pytest.raises(ValueError, match="task=multilabel: must be classification"):
        build_task(RunConfig.from_overrides("task=multilabel"), IMAGES)
    with pytest.raises(ValueError, match="task=classification: must be multilabel"):
        build_task(RunConfig.from_overrides("model=linear"), SPEC)
