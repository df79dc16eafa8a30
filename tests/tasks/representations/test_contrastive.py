import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from firstlight.augment import Augment, Flip, Hue, Mixup, Rotate
from firstlight.config import RunConfig
from firstlight.config.compose import compose
from firstlight.data import Split
from firstlight.networks import CNN, Autoencoder
from firstlight.runs import RunFolder
from firstlight.runs.evaluate import evaluate
from firstlight.runs.load import load_task
from firstlight.tasks import Contrastive
from firstlight.tasks.build import build_task
from firstlight.tasks.representations.contrastive import nt_xent
from firstlight.training.run import train
from firstlight.transfer.head import head_name
from helpers.small import IMAGES, NUMBERS, augment, images, metrics_of, train_on


def contrastive(**options: Any) -> Contrastive:
    torch.manual_seed(0)
    views = Augment(IMAGES, flip=Flip(), rotate=Rotate(degrees=15))
    return Contrastive(IMAGES, CNN(IMAGES, filters=[8, 8], hidden_sizes=[16], dropout=0), views, **options)


def test_nt_xent_equals_a_value_computed_by_hand() -> None:
    """Two images whose views are (1, 0), (0, 1) and (1, 0), (-1, 0), of any length: the cosines are 0, 1 and -1."""
    projections = torch.tensor([[2.0, 0.0], [0.0, 3.0], [0.5, 0.0], [-1.0, 0.0]])
    e = math.exp
    losses = [
        -math.log(e(2) / (e(0) + e(2) + e(-2))),  # temperature 0.5: a cosine of 1 is a logit of 2
        -math.log(1 / 3),  # the second image's first view is orthogonal to all
        -math.log(e(2) / (e(2) + e(0) + e(-2))),
        -math.log(e(0) / (e(-2) + e(0) + e(-2))),
    ]
    assert float(nt_xent(projections, 0.5)) == pytest.approx(sum(losses) / 4, rel=1e-6)


def test_views_differ_and_are_the_same_for_the_same_seed() -> None:
    task, (raw, _) = contrastive().train(), images(4)
    torch.manual_seed(1)
    first, second = task.views(raw)
    torch.manual_seed(1)
    again = task.views(raw)
    assert not torch.allclose(first, second)
    assert torch.equal(first, again[0])
    assert torch.equal(second, again[1])
    task.eval()
    torch.manual_seed(2)
    seen = task.views(raw)
    torch.manual_seed(3)
    assert all(map(torch.equal, seen, task.views(raw)))  # in evaluation whatever the seed


def test_training_brings_the_views_of_an_image_together() -> None:
    task, batch = contrastive(temperature=0.2), images(16)
    before = metrics_of(task, batch)
    train_on(task, batch, steps=25, lr=5e-3)
    assert metrics_of(task, batch)["loss"] < before["loss"] - 0.3


def test_probes_see_labelled_training_samples_and_only_when_they_are_due() -> None:
    task, batch = contrastive(probe_every=2, neighbours=1), images(20)
    assert set(metrics_of(task, batch)) == {"loss"}  # no training samples are known
    task.adapt_to(Split(*batch), Split(*batch))
    found = metrics_of(task, batch)
    assert found["knn_accuracy"] == 1  # each sample is its own neighbour
    assert found["probe_accuracy"] > 0.8
    task.begin_validation(0)
    assert set(metrics_of(task, batch)) == {"loss"}
    assert metrics_of(task, batch) == found  # a test after it
    task.begin_validation(1)
    assert metrics_of(task, batch) == found
    assert set(found) == {metric.name for metric in task.metrics_of("val")}
    assert {metric.name for metric in task.metrics_of("train")} == {"loss"}


def test_features_are_the_inputs_of_the_projection() -> None:
    task, (raw, _) = contrastive().eval(), images(3)
    network, inputs = task.network, task.preprocess(raw)
    with torch.no_grad():
        features = network.hidden(network.features(inputs).flatten(1))
        assert torch.equal(task.embeddings(raw), features)
        assert torch.equal(network(inputs), network.output(features))
    assert network(inputs).shape == (3, 128)
    rows = task.predict_rows(raw)
    assert [*rows[0].values()] == pytest.approx(features[0].tolist(), abs=1e-5)
    assert task.cells(rows[0]) == ("16 features",)


def test_a_batch_of_one_image_changes_no_loss() -> None:
    task, batch = contrastive(), images(5)
    one = (batch[0][:1], batch[1][:1])
    assert metrics_of(task, batch, one)["loss"] == metrics_of(task, batch)["loss"]
    assert float(task.unlabelled_loss(one[0]).detach()) == pytest.approx(0, abs=1e-6)


class Headless(nn.Module):
    """A network that ends in a pooling."""

    def forward(self, images: Tensor) -> Tensor:
        return images.mean((2, 3))


def refused(match: str, *args: Any, **options: Any) -> None:
    with pytest.raises(ValueError, match=match):
        Contrastive(*args, **options)


def test_what_does_not_fit_is_refused() -> None:
    views = Augment(IMAGES, flip=Flip())
    refused("must have steps that change these images", IMAGES, CNN(IMAGES), augment(IMAGES))
    refused("must have steps that change these images", IMAGES, CNN(IMAGES), Augment(IMAGES, hue=Hue()))  # grey images
    refused(r"augment\.mixup: must be null", IMAGES, CNN(IMAGES), Augment(IMAGES, flip=Flip(), mixup=Mixup()))
    refused("task=contrastive: must be another task, because the data holds numbers", NUMBERS, CNN(IMAGES), views)
    refused("task=contrastive: must be reconstruction", IMAGES, Autoencoder(IMAGES), views)
    refused("must have a network that ends in a linear layer", IMAGES, Headless(), views)
    refused("temperature=0: must be above 0", IMAGES, CNN(IMAGES), views, temperature=0)
    refused("probe_every=0: must be at least 1", IMAGES, CNN(IMAGES), views, probe_every=0)


def run(path: Path, *words: str) -> RunFolder:
    """Train for one epoch, quickly."""
    quick = "trainer.max_epochs=1", "trainer.accelerator=cpu", "figures=false", "logger=none"
    train(compose(*words, *quick), run_dir=path)
    return RunFolder.open(path)


def test_a_run_is_evaluated_again_and_its_weights_start_a_classifier(tmp_path: Path) -> None:
    words = ("data=digits", "model=cnn", "model.filters=[4,4]", "model.hidden_sizes=[8]", "data.train_fraction=0.2")
    folder = run(tmp_path / "simclr", *words, "task=contrastive", "augment=light")
    metrics = folder.metrics()
    again = evaluate(folder.path, figures=False)
    assert {name: metrics[name] for name in again} == pytest.approx(again, rel=1e-5)
    assert {"test/loss", "test/knn_accuracy", "test/probe_accuracy"} == set(again)
    with pytest.raises(ValueError, match=r"data.batch_size=1: must be at least 2 with task=contrastive"):
        run(tmp_path / "one", *words, "task=contrastive", "augment=light", "data.batch_size=1")

    start = RunConfig.from_overrides(*words, f"model.weights={folder.path}", "model.freeze=backbone")
    backbone, classifier = load_task(folder.path).network, build_task(start, folder.spec()).network
    assert head_name(classifier) == "output"
    assert torch.equal(classifier.features[0].weight, backbone.features[0].weight)
    assert classifier.output.weight.shape == (10, 8)
