from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from firstlight.augment import Augment, Mixup
from firstlight.config import RunConfig
from firstlight.networks import Linear
from firstlight.spec import DataSpec
from firstlight.tasks import Classification
from firstlight.tasks.build import build_task
from helpers.small import IMAGES, augment, images, train_on

TWO = replace(IMAGES, num_outputs=2, labels=("no", "yes"))


def classification(spec: DataSpec = IMAGES, **options: Any) -> Classification:
    torch.manual_seed(0)
    network = Linear(Classification.network_spec(spec, **options))
    return Classification(spec, network, augment(spec), **options).eval()


def loss_of(task: Classification, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    return task.batch_loss(batch, task.new_meter())


def test_one_score_for_two_classes_is_binary_cross_entropy() -> None:
    task, (raw, classes) = classification(TWO, binary=True), images(20, TWO)
    scores = task.network(task.preprocess(raw))
    assert scores.shape == (20, 1)
    expected = F.binary_cross_entropy_with_logits(scores[:, 0], classes.float())
    torch.testing.assert_close(loss_of(task, (raw, classes)), expected)
    torch.testing.assert_close(task.class_logits(scores).softmax(1)[:, 1], scores[:, 0].sigmoid())
    found = metrics_of(task, (raw, classes))
    assert found["accuracy"] == pytest.approx(float(((scores[:, 0] > 0) == classes).float().mean()))


def test_build_gives_the_network_one_output_and_keeps_both_classes() -> None:
    task = build_task(RunConfig.from_overrides("model=linear", "task.binary=true"), TWO)
    assert (task.network.output.out_features, task.spec.labels) == (1, ("no", "yes"))


def test_one_score_for_three_classes_is_refused() -> None:
    with pytest.raises(ValueError, match="task: binary=true: one score tells two classes apart, not 3"):
        build_task(RunConfig.from_overrides("model=linear", "task.binary=true"), IMAGES)


def test_class_weights_count_in_training_alone() -> None:
    task, (raw, classes) = classification(class_weights=[1, 2.0, 5.0]), images(20)
    scores = task.network(task.preprocess(raw))
    losses = F.cross_entropy(scores, classes, reduction="none")
    weights = torch.tensor([1.0, 2.0, 5.0])[classes]
    torch.testing.assert_close(loss_of(task.train(), (raw, classes)), (weights * losses).sum() / weights.sum())
    torch.testing.assert_close(loss_of(task.eval(), (raw, classes)), losses.mean())


def test_class_weights_of_mixed_samples_weigh_the_terms_and_not_the_mean() -> None:
    task, (raw, classes) = classification(class_weights=[1, 2.0, 5.0]).train(), images(20)
    task.augment = Augment(IMAGES, mixup=Mixup(alpha=1.0))
    torch.manual_seed(1)
    inputs, shares = task.augment(raw, classes)
    terms = -shares * task.network(inputs).log_softmax(1)
    torch.manual_seed(1)
    expected = (terms * torch.tensor([1.0, 2.0, 5.0])).sum(1).mean()
    torch.testing.assert_close(loss_of(task, (raw, classes)), expected)


def test_labels_are_smoothed_in_training_alone() -> None:
    task, (raw, classes) = classification(label_smoothing=0.3), images(20)
    scores = task.network(task.preprocess(raw))
    targets = F.one_hot(classes, 3) * 0.7 + 0.1
    torch.testing.assert_close(loss_of(task.train(), (raw, classes)), F.cross_entropy(scores, targets))
    torch.testing.assert_close(loss_of(task.eval(), (raw, classes)), F.cross_entropy(scores, classes))


@pytest.mark.parametrize("spec", [IMAGES, TWO])
def test_mixed_samples_have_mixed_targets(spec: DataSpec) -> None:
    task, (raw, classes) = classification(spec, binary=spec is TWO).train(), images(20, spec)
    task.augment = Augment(spec, mixup=Mixup(alpha=1.0))
    torch.manual_seed(1)
    inputs, shares = task.augment(raw, classes)
    assert ((shares > 0.01) & (shares < 0.99)).any()
    scores = task.class_logits(task.network(inputs))
    torch.manual_seed(1)
    meter = task.new_meter()
    torch.testing.assert_close(task.batch_loss((raw, classes), meter), -(shares * scores.log_softmax(1)).sum(1).mean())
    assert meter.counts.sum(1).tolist() == shares.argmax(1).bincount(minlength=spec.num_outputs).tolist()


def test_top5_is_told_of_more_than_five_classes() -> None:
    many = replace(IMAGES, num_outputs=9, labels=tuple("abcdefghi"))
    task, (raw, classes) = classification(many), images(40, many)
    with torch.no_grad():
        best = task.network(task.preprocess(raw)).topk(5).indices
    expected = float((best == classes[:, None]).any(1).float().mean())
    found = metrics_of(task, (raw, classes))
    assert 0 < expected < 1
    assert found["top5"] == pytest.approx(expected)
    assert set(found) == set(task.metric_names)
    few = classification()
    assert "top5" not in few.metric_names
    assert set(metrics_of(few, images(4))) == set(few.metric_names)


@pytest.mark.parametrize("binary", [False, True])
def test_it_learns_a_batch_by_heart(binary: bool) -> None:
    assert train_on(classification(TWO, binary=binary), images(8, TWO), steps=100, lr=0.05) < 0.01


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"label_smoothing": 1.0}, "label_smoothing=1.0: a share"),
        ({"class_weights": [1.0, 2.0]}, r"class_weights=\[1.0, 2.0\]: one number above 0 for each of a, b, c"),
        ({"class_weights": [1.0, 2.0, 0.0]}, "one number above 0"),
        ({"class_weights": []}, "one number above 0"),
        ({"class_weights": [1.0, 2.0, float("nan")]}, "one number above 0"),
    ],
)
def test_options_out_of_their_range_are_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        classification(**options)
