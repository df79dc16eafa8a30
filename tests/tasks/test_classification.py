from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from firstlight.augment import Augment, Mixup
from firstlight.networks import Linear
from firstlight.spec import DataSpec
from firstlight.tasks import Batch, Classification
from helpers.small import IMAGES, augment, images, metrics_of, train_on

TWO = replace(IMAGES, num_outputs=2, labels=("no", "yes"))


def classification(spec: DataSpec = IMAGES, **options: Any) -> Classification:
    torch.manual_seed(0)
    network = Linear(Classification.network_spec(spec, **options))
    return Classification(spec, network, augment(spec), **options).eval()


def loss_of(task: Classification, batch: Batch) -> Tensor:
    return task.batch_loss(batch, task.new_meter())


def mixed(task: Classification, batch: Batch) -> tuple[Tensor, Tensor]:
    """Return mixed inputs and class probabilities, and let the task's next batch be mixed in the same way."""
    task.augment = Augment(task.spec, mixup=Mixup(alpha=1.0))
    torch.manual_seed(1)
    inputs, probabilities = task.augment(*batch)
    assert ((probabilities > 0.01) & (probabilities < 0.99)).any()
    torch.manual_seed(1)
    return inputs, probabilities


def test_a_single_logit_for_two_classes_gives_binary_cross_entropy() -> None:
    task, (raw, classes) = classification(TWO, binary=True), images(20, TWO)
    logits = task.network(task.preprocess(raw))
    assert logits.shape == (20, 1)
    expected = F.binary_cross_entropy_with_logits(logits[:, 0], classes.float())
    torch.testing.assert_close(loss_of(task, (raw, classes)), expected)
    torch.testing.assert_close(task.class_logits(logits).softmax(1)[:, 1], logits[:, 0].sigmoid())
    found = metrics_of(task, (raw, classes))
    assert found["accuracy"] == pytest.approx(float(((logits[:, 0] > 0) == classes).float().mean()))


def test_predictions_decide_between_two_classes_by_a_threshold() -> None:
    task, (raw, _) = classification(TWO), images(20, TWO)
    with torch.no_grad():
        probabilities = task.answers(raw)["probabilities"][:, 1]
    threshold = float(probabilities.sort().values[14])  # that of a sample, which it includes
    before = task.predict_rows(raw)
    task.use_threshold(threshold)
    rows = task.predict_rows(raw)
    assert [row["label"] == "yes" for row in rows] == (probabilities >= threshold).tolist()
    assert sum(row["label"] == "yes" for row in rows) == 6
    expected = torch.where(probabilities >= threshold, probabilities, 1 - probabilities)
    assert [row["probability"] for row in rows] == pytest.approx(expected.tolist(), abs=1e-5)
    assert [row["top_1"] for row in rows] == [row["top_1"] for row in before]
    with pytest.raises(ValueError, match=r"predict\.threshold=1: must be above 0 and below 1"):
        task.use_threshold(1)
    with pytest.raises(ValueError, match=r"predict\.threshold=0\.3: must be null with 3 classes"):
        classification().use_threshold(0.3)


def test_class_weights_change_only_the_training_loss() -> None:
    task, (raw, classes) = classification(class_weights=[1, 2.0, 5.0]), images(20)
    logits = task.network(task.preprocess(raw))
    losses = F.cross_entropy(logits, classes, reduction="none")
    weights = torch.tensor([1.0, 2.0, 5.0])[classes]
    torch.testing.assert_close(loss_of(task.train(), (raw, classes)), (weights * losses).sum() / weights.sum())
    torch.testing.assert_close(loss_of(task.eval(), (raw, classes)), losses.mean())


def test_with_mixed_samples_class_weights_multiply_the_terms_of_a_plain_mean() -> None:
    task, batch = classification(class_weights=[1, 2.0, 5.0]).train(), images(20)
    inputs, probabilities = mixed(task, batch)
    terms = -probabilities * task.network(inputs).log_softmax(1)
    expected = (terms * torch.tensor([1.0, 2.0, 5.0])).sum(1).mean()
    torch.testing.assert_close(loss_of(task, batch), expected)


def test_labels_are_smoothed_only_in_training() -> None:
    task, (raw, classes) = classification(label_smoothing=0.3), images(20)
    logits = task.network(task.preprocess(raw))
    targets = F.one_hot(classes, 3) * 0.7 + 0.1
    torch.testing.assert_close(loss_of(task.train(), (raw, classes)), F.cross_entropy(logits, targets))
    torch.testing.assert_close(loss_of(task.eval(), (raw, classes)), F.cross_entropy(logits, classes))


@pytest.mark.parametrize("spec", [IMAGES, TWO])
def test_mixed_samples_have_mixed_targets_and_count_as_their_most_probable_class(spec: DataSpec) -> None:
    task, batch = classification(spec, binary=spec is TWO).train(), images(20, spec)
    inputs, probabilities = mixed(task, batch)
    logits, meter = task.class_logits(task.network(inputs)), task.new_meter()
    torch.testing.assert_close(task.batch_loss(batch, meter), -(probabilities * logits.log_softmax(1)).sum(1).mean())
    assert meter.counts.sum(1).tolist() == probabilities.argmax(1).bincount(minlength=spec.num_outputs).tolist()


@pytest.mark.parametrize("num_classes", [3, 5, 6, 9])
def test_top5_is_a_metric_of_more_than_five_classes(num_classes: int) -> None:
    spec = replace(IMAGES, num_outputs=num_classes, labels=tuple("abcdefghi"[:num_classes]))
    task = classification(spec)
    found = metrics_of(task, images(10, spec))
    assert set(found) == set(task.metric_names)
    assert ("top5" in found) == (num_classes > 5)


@pytest.mark.parametrize("binary", [False, True])
def test_it_overfits_a_batch(binary: bool) -> None:
    assert train_on(classification(TWO, binary=binary), images(8, TWO), steps=100, lr=0.05) < 0.01


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"label_smoothing": 1.0}, r"label_smoothing=1\.0: must be at least 0 and below 1"),
        ({"class_weights": [1.0, 2.0]}, r"class_weights=\[1.0, 2.0\]: must be one number above 0 for each of a, b, c"),
        ({"class_weights": [1.0, 2.0, 0.0]}, "must be one number above 0"),
        ({"class_weights": []}, "must be one number above 0"),
        ({"class_weights": [1.0, 2.0, float("nan")]}, "must be one number above 0"),
        ({"balance": "wieghts"}, "balance=wieghts: unknown way to balance classes, did you mean 'weights'"),
        ({"balance": "weights", "class_weights": [1, 1, 2]}, "balance=weights: must be null if class_weights is set"),
        ({"binary": True}, "binary=true: must be false, because the data has 3 classes, not 2"),
    ],
)
def test_an_invalid_option_raises_an_error(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        classification(**options)
