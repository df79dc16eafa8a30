from typing import Any

import pytest
import torch
from sklearn import metrics as sklearn_metrics
from torch.nn import functional as F
from torchmetrics.functional.classification import multiclass_f1_score, multiclass_precision, multiclass_recall

from firstlight.tasks.metrics.confusion import ConfusionMeter, classification_metrics

CPU = torch.device("cpu")
Batch = tuple[torch.Tensor, torch.Tensor]


def random_batch(num_samples: int, num_classes: int, seed: int = 0) -> Batch:
    """Return random logits and classes."""
    random = torch.Generator().manual_seed(seed)
    logits = torch.randn(num_samples, num_classes, generator=random)
    return logits, torch.randint(0, num_classes, (num_samples,), generator=random)


def meter_of(*batches: Batch, num_classes: int) -> ConfusionMeter:
    """Return a meter to which the batches were added."""
    meter = ConfusionMeter(num_classes, CPU)
    for logits, targets in batches:
        meter.update(logits, targets, F.cross_entropy(logits, targets))
    return meter


def random_counts(num_classes: int, random: torch.Generator) -> torch.Tensor:
    """Return a random confusion matrix, in which some classes never occur, are never true or are never predicted."""
    never_true, never_predicted = (torch.rand(num_classes, generator=random) < 0.3 for _ in range(2))
    never = torch.rand(num_classes, generator=random) < 0.2
    counts = torch.randint(0, 30, (num_classes, num_classes), generator=random)
    counts[never_true | never] = 0
    counts[:, never_predicted | never] = 0
    return counts


@pytest.mark.parametrize("num_classes", [2, 3, 10, 37])
def test_macro_metrics_equal_those_of_torchmetrics_exactly(num_classes: int) -> None:
    functions: dict[str, Any] = {
        "precision": multiclass_precision,
        "recall": multiclass_recall,
        "f1": multiclass_f1_score,
    }
    random = torch.Generator().manual_seed(num_classes)
    num_compared = num_with_absent_classes = 0
    for _ in range(60):
        counts = random_counts(num_classes, random)
        if not counts.any():
            continue
        pairs = counts.nonzero().repeat_interleave(counts[counts > 0], 0)  # one (true, predicted) class per sample
        true, predicted = pairs.T
        expected = {
            name: float(function(predicted, true, num_classes=num_classes, average="macro"))
            for name, function in functions.items()
        }
        found = classification_metrics(counts)
        assert found.pop("accuracy") == float(counts.diagonal().sum()) / len(pairs)
        assert found == expected
        num_compared += 1
        num_with_absent_classes += bool(((counts.sum(0) == 0) | (counts.sum(1) == 0)).any())
    assert num_compared > 20
    assert num_with_absent_classes > 5


@pytest.mark.parametrize("num_classes", [2, 3, 10])
def test_the_metrics_of_logits_equal_those_of_scikit_learn(num_classes: int) -> None:
    logits, targets = random_batch(200, num_classes)
    predicted = logits.argmax(1)
    meter = meter_of((logits, targets), num_classes=num_classes)
    assert meter.counts.tolist() == sklearn_metrics.confusion_matrix(targets, predicted).tolist()
    macro = sklearn_metrics.precision_recall_fscore_support(targets, predicted, average="macro", zero_division=0)
    expected = {
        "loss": float(F.cross_entropy(logits, targets)),
        "accuracy": sklearn_metrics.accuracy_score(targets, predicted),
        "precision": macro[0],
        "recall": macro[1],
        "f1": macro[2],
    }
    if num_classes > 5:
        expected["top5"] = sklearn_metrics.top_k_accuracy_score(targets, logits, k=5)
    assert meter.compute() == pytest.approx(expected, abs=1e-6)


def test_batches_of_any_size_add_up_and_an_empty_batch_changes_nothing() -> None:
    # The last batch of a split may leave a rank without samples, and the mean loss of no samples is NaN.
    logits, targets = random_batch(50, 4)
    parts = list(zip(logits.split([20, 29, 1, 0]), targets.split([20, 29, 1, 0]), strict=True))
    found, expected = meter_of(*parts, num_classes=4), meter_of((logits, targets), num_classes=4)
    assert torch.equal(found.counts, expected.counts)
    assert found.compute() == pytest.approx(expected.compute(), rel=1e-6)


def test_the_sums_of_several_processes_are_added_in_place() -> None:
    first, second = random_batch(30, 7, seed=1), random_batch(7, 7, seed=2)
    meter, other = meter_of(first, num_classes=7), meter_of(second, num_classes=7)
    for total, more in zip(meter.sums(), other.sums(), strict=True):
        total += more
    assert meter.compute() == pytest.approx(meter_of(first, second, num_classes=7).compute(), rel=1e-6)


def test_correct_predictions_alone_give_one_and_wrong_ones_alone_give_zero() -> None:
    correct = classification_metrics(torch.diag(torch.tensor([7, 5, 3, 11, 13, 2, 9])))
    assert correct == {"accuracy": 1, "precision": 1, "recall": 1, "f1": 1}
    wrong = classification_metrics(torch.tensor([[0, 5], [3, 0]]))
    assert wrong == {"accuracy": 0, "precision": 0, "recall": 0, "f1": 0}


def test_a_meter_without_samples_gives_zeros() -> None:
    assert ConfusionMeter(3, CPU).compute() == {"loss": 0, "accuracy": 0, "precision": 0, "recall": 0, "f1": 0}


def test_the_meter_does_not_keep_the_graph_of_the_gradients() -> None:
    logits, targets = random_batch(5, 3)
    logits.requires_grad_()
    assert not meter_of((logits, targets), num_classes=3).loss.requires_grad
