import pytest
import torch
from sklearn import metrics as reference
from torch.nn import functional as F
from torchmetrics.classification import MulticlassF1Score

from firstlight.tasks.confusion import ConfusionMeter, classification_metrics

CPU = torch.device("cpu")


def batch(num_samples: int, num_classes: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    logits = torch.randn(num_samples, num_classes, generator=random)
    return logits, torch.randint(0, num_classes, (num_samples,), generator=random)


def metrics_of(*batches: tuple[torch.Tensor, torch.Tensor], num_classes: int) -> ConfusionMeter:
    meter = ConfusionMeter(num_classes, CPU)
    for logits, targets in batches:
        meter.update(logits, targets, F.cross_entropy(logits, targets))
    return meter


def expected_scores(predictions: torch.Tensor, targets: torch.Tensor) -> dict[str, float]:
    macro = reference.precision_recall_fscore_support(targets, predictions, average="macro", zero_division=0)
    accuracy = reference.accuracy_score(targets, predictions)
    return {"accuracy": accuracy, "precision": macro[0], "recall": macro[1], "f1": macro[2]}


@pytest.mark.parametrize("num_classes", [2, 3, 10])
def test_the_scores_are_those_of_scikit_learn(num_classes: int) -> None:
    logits, targets = batch(200, num_classes)
    found = metrics_of((logits, targets), num_classes=num_classes).compute()
    found.pop("loss")
    if num_classes > 5:
        assert found.pop("top5") == pytest.approx(reference.top_k_accuracy_score(targets, logits, k=5))
    assert "top5" not in found
    assert found == pytest.approx(expected_scores(logits.argmax(1), targets), abs=1e-6)


def test_f1_is_that_of_torchmetrics() -> None:
    logits, targets = batch(200, 5)
    expected = MulticlassF1Score(num_classes=5)(logits, targets)
    assert metrics_of((logits, targets), num_classes=5).compute()["f1"] == pytest.approx(float(expected), abs=1e-6)


def test_a_class_that_never_occurs_does_not_count() -> None:
    logits, targets = batch(200, 6)
    logits[:, 4:] = -10
    targets %= 4
    found = classification_metrics(metrics_of((logits, targets), num_classes=6).counts)
    assert found == pytest.approx(expected_scores(logits.argmax(1), targets), abs=1e-6)


def test_a_class_that_is_never_predicted_counts_as_zero() -> None:
    logits, targets = batch(200, 4)
    logits[:, 3] = -10
    found = classification_metrics(metrics_of((logits, targets), num_classes=4).counts)
    assert found == pytest.approx(expected_scores(logits.argmax(1), targets), abs=1e-6)


def test_rows_are_the_true_classes() -> None:
    logits, targets = batch(200, 4)
    counts = metrics_of((logits, targets), num_classes=4).counts
    assert counts.tolist() == reference.confusion_matrix(targets, logits.argmax(1)).tolist()


def test_batches_of_any_size_add_up() -> None:
    logits, targets = batch(50, 4)
    parts = list(zip(logits.split([20, 29, 1]), targets.split([20, 29, 1]), strict=True))
    found, expected = metrics_of(*parts, num_classes=4), metrics_of((logits, targets), num_classes=4)
    assert torch.equal(found.counts, expected.counts)
    assert found.compute() == pytest.approx(expected.compute(), rel=1e-6)
    assert expected.compute()["loss"] == pytest.approx(float(F.cross_entropy(logits, targets)), rel=1e-6)


def test_the_sums_of_several_processes_add_up_in_place() -> None:
    first, second = batch(30, 4, seed=1), batch(7, 4, seed=2)
    meter, other = metrics_of(first, num_classes=4), metrics_of(second, num_classes=4)
    for total, more in zip(meter.sums(), other.sums(), strict=True):
        total += more
    assert meter.compute() == pytest.approx(metrics_of(first, second, num_classes=4).compute(), rel=1e-6)


def test_a_batch_without_samples_changes_nothing() -> None:
    # The last batch of a split can leave a rank without a sample, and the mean of no losses is not a number.
    logits, targets = batch(30, 4)
    found = metrics_of((logits, targets), (logits[:0], targets[:0]), num_classes=4)
    assert found.compute() == metrics_of((logits, targets), num_classes=4).compute()


def test_all_right_is_one_and_all_wrong_is_zero() -> None:
    right = classification_metrics(torch.diag(torch.tensor([7, 5, 3, 11, 13, 2, 9])))
    assert right == {"accuracy": 1, "precision": 1, "recall": 1, "f1": 1}
    wrong = classification_metrics(torch.tensor([[0, 5], [3, 0]]))
    assert wrong == {"accuracy": 0, "precision": 0, "recall": 0, "f1": 0}


def test_a_meter_without_samples_gives_zeros() -> None:
    assert ConfusionMeter(3, CPU).compute() == {"loss": 0, "accuracy": 0, "precision": 0, "recall": 0, "f1": 0}


def test_the_meter_keeps_no_graph() -> None:
    logits, targets = batch(5, 3)
    logits.requires_grad_()
    assert not metrics_of((logits, targets), num_classes=3).loss.requires_grad
