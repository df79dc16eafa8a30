from typing import Any

import pytest
import torch
from sklearn.metrics import explained_variance_score
from torch.nn import functional as F

from firstlight.networks import Linear
from firstlight.runs.evaluate import compute_metrics
from firstlight.tasks import Batch, Classification, Language, Regression
from firstlight.tasks.outcomes import Outcomes
from helpers.small import IMAGES, NUMBERS, augment, images


def filled(outcomes: Outcomes, *sizes: int) -> Outcomes:
    """Add batches of these sizes, in which sample i has the outputs (i, i), the target i and the loss i."""
    numbers = torch.arange(sum(sizes), dtype=torch.float32)
    for part in numbers.split(list(sizes)):
        outcomes.add(part[:, None].expand(-1, 2), part.long(), part)
    return outcomes


def test_outcomes_are_kept_in_the_order_of_the_split() -> None:
    found = filled(Outcomes(), 4, 0, 3).gather()
    assert (found.num_samples, len(found)) == (7, 7)
    for tensor in (found.outputs[:, 0], found.targets, found.losses, found.indices):
        assert tensor.tolist() == list(range(7))
    assert len(Outcomes().gather()) == 0


@pytest.mark.parametrize("limit", [2, 10, 37])
def test_memory_is_bounded_and_the_kept_samples_are_evenly_spaced(limit: int) -> None:
    found = filled(Outcomes(limit), 5, 1, 7, 11, 0, 8).gather()
    assert found.num_samples == 32
    assert limit / 4 < found.outputs.numel() <= limit
    steps = set(found.indices.diff().tolist())
    assert len(steps) <= 1
    assert found.losses.tolist() == found.indices.tolist() == found.targets.tolist()


def test_several_ranks_give_the_order_of_the_split(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers, ranks = torch.arange(23.0), [Outcomes(10), Outcomes(8), Outcomes()]
    for batch in numbers.split(5):
        for outcomes, part in zip(ranks, batch.tensor_split(3), strict=True):
            outcomes.add(part[:, None], part.long(), part)
    sent: list[Any] = []
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 3)
    monkeypatch.setattr(torch.distributed, "all_gather_object", lambda ranks, own: sent.append(own))
    for outcomes in ranks[1:]:
        with pytest.raises(TypeError):  # nothing has been gathered
            outcomes.gather()
    monkeypatch.setattr(torch.distributed, "all_gather_object", lambda to, own: to.__setitem__(slice(3), [own, *sent]))
    found = ranks[0].gather()
    assert found.num_samples == 23
    assert found.indices.tolist() == sorted(found.indices.tolist())
    assert found.targets.tolist() == found.indices.tolist()
    assert len(found) < 23


def collected(task: Any, *batches: Batch) -> tuple[dict[str, float], Outcomes]:
    outcomes = task.new_outcomes()
    metrics = compute_metrics(task.eval(), batches, outcomes=outcomes)
    return metrics, outcomes


def test_the_outcomes_of_a_classifier_agree_with_its_metrics() -> None:
    task = Classification(IMAGES, Linear(IMAGES), augment(IMAGES))
    (raw, classes), tail = images(20), images(7, seed=1)
    metrics, found = collected(task, (raw, classes), tail, (raw[:0], classes[:0]))
    assert metrics["loss"] == pytest.approx(float(found.losses.mean()))
    correct = found.outputs.argmax(1) == found.targets
    assert metrics["accuracy"] == pytest.approx(float(correct.double().mean()))
    torch.testing.assert_close(found.outputs[:20], task.network(task.preprocess(raw)))
    assert task.outcomes is None
    assert set(task.outcome_metrics(found)) == {metric.name for metric in task.test_metrics} == {"ece"}
    assert "ece" in {metric.name for metric in task.metrics_of("test")} - {each.name for each in task.metrics_of("val")}


def regression(loss: str) -> Regression:
    return Regression(NUMBERS, Linear(NUMBERS), augment(NUMBERS), loss=loss)


@pytest.mark.parametrize("loss", ["mse", "mae", "huber"])
def test_the_outcomes_of_a_regression_are_in_the_units_of_the_data(loss: str) -> None:
    task, random = regression(loss), torch.Generator().manual_seed(0)
    inputs, targets = torch.randn(30, 2, generator=random), torch.randn(30, 1, generator=random) * 3 + 12
    metrics, found = collected(task, (inputs[:20], targets[:20]), (inputs[20:], targets[20:]))
    assert metrics["mse"] == pytest.approx(float(F.mse_loss(found.outputs, targets)), rel=1e-5)
    assert metrics["loss"] == pytest.approx(float(found.losses.mean()), rel=1e-5)
    expected = explained_variance_score(targets.numpy(), found.outputs.numpy())
    assert metrics["explained_variance"] == pytest.approx(expected, rel=1e-4)
    assert metrics["explained_variance"] > metrics["r2"]


def test_a_task_without_samples_of_its_own_keeps_no_outcomes() -> None:
    assert not Language.keeps_outcomes
    task: Any = regression("mse").train()
    task.outcomes = task.new_outcomes()
    task.batch_loss((torch.zeros(2, 2), torch.zeros(2, 1)), task.new_meter())
    assert len(task.outcomes.gather()) == 0
