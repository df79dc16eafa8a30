"""The methods that all tasks inherit."""

from typing import Any

import pytest
import torch
from torch import nn

from firstlight.augment import Augment, Noise
from firstlight.config import RunConfig
from firstlight.config.options import Transfer
from firstlight.networks import CNN, Linear
from firstlight.tasks import Adversarial, Classification, Language, Metric, Reconstruction, Regression, Task
from firstlight.tasks.build import build_task
from helpers.small import IMAGES, NUMBERS, TOKENS, augment, images


def test_samples_are_augmented_only_in_training() -> None:
    task = Classification(IMAGES, Linear(IMAGES), Augment(IMAGES, noise=Noise(std=0.5)))
    raw, classes = images(3)
    assert torch.equal(task.eval().prepared((raw, classes))[0], task.preprocess(raw))
    assert not torch.equal(task.train().prepared((raw, classes))[0], task.preprocess(raw))


def test_a_task_that_reads_features_applies_only_the_head_and_draws_a_view_of_each_sample() -> None:
    task = Classification(IMAGES, CNN(IMAGES, filters=[4, 8]), augment(IMAGES), Transfer(freeze="backbone"))
    task.reads_features = True
    assert isinstance(task.freezing.head, nn.Linear)
    views = torch.randn(6, 3, task.freezing.head.in_features)
    chosen, targets = task.prepared((views, torch.arange(6)))
    assert (views == chosen[:, None]).all(2).any(1).all()
    assert torch.equal(targets, torch.arange(6))
    assert torch.equal(task.prepared((views[:, 0], targets))[0], views[:, 0])
    assert torch.equal(task.outputs(chosen), task.freezing.head(chosen))


@pytest.mark.parametrize(
    ("task_class", "spec", "message"),
    [
        (
            Classification,
            NUMBERS,
            "task=classification: must be regression, because the targets of the data are numbers, not classes.",
        ),
        (
            Regression,
            IMAGES,
            "task=regression: must be classification, because the targets of the data are classes, not numbers.",
        ),
        (Language, IMAGES, "task=language: must be classification, .* classes, not tokens"),
        (Regression, TOKENS, "task=regression: must be language, .* tokens, not numbers"),
    ],
)
def test_targets_of_another_kind_raise_an_error_that_names_the_fitting_task(
    task_class: type[Task], spec: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        task_class(spec, nn.Identity(), augment(spec))


def test_a_network_for_another_task_raises_an_error() -> None:
    network: Any = Linear(IMAGES)
    network.task = "adversarial"
    with pytest.raises(ValueError, match="task=classification: must be adversarial, which trains Linear"):
        Classification(IMAGES, network, augment(IMAGES))


@pytest.mark.parametrize("task_class", [Adversarial, Reconstruction])
@pytest.mark.parametrize("transfer", [Transfer(freeze="backbone"), Transfer(head="mlp"), Transfer(lr_decay=0.5)])
def test_a_task_whose_network_has_no_head_accepts_no_option_for_heads(
    task_class: type[Task], transfer: Transfer
) -> None:
    name = task_class.__name__.lower()
    with pytest.raises(ValueError, match=f"model: must have neither head, freeze nor lr_decay with task={name}"):
        task_class(IMAGES, CNN(IMAGES), augment(IMAGES), transfer)


class WGAN(Adversarial):
    metrics = (*Adversarial.metrics, Metric("gap", "max"))


def test_a_subclass_of_a_task_inherits_its_name_and_so_its_networks() -> None:
    config = RunConfig.from_overrides("model=gan", "monitor=val/gap", f"task._target_={__name__}.WGAN")
    task = build_task(config, IMAGES)
    assert (type(task).__name__, task.task_name, task.monitored("val/gap").direction) == ("WGAN", "adversarial", "max")
    assert task.sample(number=2).shape == (2, 1, 8, 8)  # type: ignore[union-attr]  # images, not a text


class Ranking(Task):
    metrics = (Metric("loss", "min"), Metric("wer", "min"), Metric("hits", "max"))

    def new_meter(self) -> Any:
        raise NotImplementedError

    def batch_loss(self, batch: Any, meter: Any) -> Any:
        raise NotImplementedError


def test_a_task_of_ones_own_has_its_class_as_name_and_a_default_for_everything_else() -> None:
    task = Ranking(IMAGES, nn.Linear(1, 1), augment(IMAGES))
    assert [task.monitored(f"val/{name}").direction for name in task.metric_names] == ["min", "min", "max"]
    assert (task.task_name, task.can_predict, task.can_sample, task.headline) == ("ranking", False, False, ())
    with pytest.raises(ValueError, match=r"^monitor=val/ter: unknown metric, did you mean 'val/wer'"):
        task.monitored("val/ter")
    for call in (task.sample, lambda: task.predict_rows(images(1)[0]), lambda: task.use_group("dog_cat")):
        with pytest.raises(ValueError, match="task=ranking"):
            call()


def test_views_require_a_frozen_backbone_and_augmentation_steps() -> None:
    with_steps = Augment(IMAGES, views=2, noise=Noise(std=0.5))
    frozen = Transfer(freeze="backbone")
    Classification(IMAGES, CNN(IMAGES), with_steps, frozen)
    with pytest.raises(ValueError, match=r"augment\.views=2: must be 0 without model\.freeze=backbone"):
        Classification(IMAGES, CNN(IMAGES), with_steps, Transfer())
    with pytest.raises(ValueError, match=r"augment\.views=2: must be 0 without augmentation steps"):
        Classification(IMAGES, CNN(IMAGES), Augment(IMAGES, views=2), frozen)


def test_a_classification_has_no_result_line_no_example_output_and_no_samples() -> None:
    task = Classification(IMAGES, Linear(IMAGES), augment(IMAGES))
    assert (task.example_output(images(1)[0]), task.result_line(), task.can_sample) == (None, None, False)
    assert task.network_spec(IMAGES, label_smoothing=0.1) is IMAGES


def test_the_state_of_a_task_holds_only_its_network() -> None:
    # The spec is kept with each checkpoint, so nothing that follows from it belongs in the state.
    task = Regression(NUMBERS, Linear(NUMBERS), augment(NUMBERS))
    assert all(name.startswith("network.") for name in task.state_dict())
