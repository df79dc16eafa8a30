"""What every task inherits; a task that only adds up stands for them all."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback
from torch import nn

from firstlight.augment import Augment, Noise
from firstlight.networks import MLP, Linear
from firstlight.tasks import Classification, Language, Regression
from helpers.small import IMAGES, NUMBERS, TOKENS, augment, fit, images, parameters


def test_samples_are_augmented_in_training_alone() -> None:
    task = Classification(IMAGES, Linear(IMAGES), Augment(IMAGES, noise=Noise(std=0.5)))
    raw, classes = images(3)
    assert torch.equal(task.eval().prepared((raw, classes))[0], task.preprocess(raw))
    assert not torch.equal(task.train().prepared((raw, classes))[0], task.preprocess(raw))


@pytest.mark.parametrize(
    ("task_class", "spec", "told"),
    [
        (Classification, NUMBERS, "classification needs classes as targets; the data has numbers: task=regression"),
        (Regression, IMAGES, "regression needs numbers as targets; the data has classes: task=classification"),
        (Language, IMAGES, "language needs tokens as targets"),
        (Regression, TOKENS, "the data has tokens: task=language fits"),
    ],
)
def test_targets_that_a_task_has_no_use_for_are_refused(task_class: Any, spec: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        task_class(spec, nn.Identity(), augment(spec))


def test_a_network_for_another_task_is_refused() -> None:
    network = Linear(IMAGES)
    network.task = "adversarial"  # type: ignore[assignment]  # modules take any attribute
    with pytest.raises(ValueError, match="Linear is a network for task=adversarial, not for classification"):
        Classification(IMAGES, network, augment(IMAGES))


def test_most_tasks_have_nothing_to_show_and_generate_nothing() -> None:
    task = Classification(IMAGES, Linear(IMAGES), augment(IMAGES))
    assert (task.show(images(1)[0]), task.in_words(), task.can_sample) == (None, None, False)
    assert task.network_spec(IMAGES, label_smoothing=0.1) is IMAGES


def test_validation_in_the_middle_of_an_epoch_changes_nothing_in_the_training() -> None:
    spec = replace(IMAGES, input_shape=(1, 4, 4))
    words = ("model=mlp", "model.dropout=0.5")
    once, _ = fit(spec, images(40, spec), *words, batch_size=5)
    often, _ = fit(spec, images(40, spec), *words, "+trainer.val_check_interval=3", batch_size=5)
    assert {name: value for name, value in once.metrics.items() if name.startswith("train/")} == {
        name: value for name, value in often.metrics.items() if name.startswith("train/")
    }
    assert all(torch.equal(value, often.state_dict()[name]) for name, value in once.state_dict().items())


def test_train_metrics_are_those_of_all_batches_as_they_were_trained_on() -> None:
    losses: list[float] = []

    class Listener(Callback):
        def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
            losses.append(float(outputs["loss"]))

    task, trainer = fit(IMAGES, images(40), "model=linear", batch_size=10, callbacks=[Listener()])
    assert trainer.global_step == len(losses) == 4
    assert task.metrics["train/loss"] == pytest.approx(sum(losses) / 4)


def test_the_randomness_of_a_step_follows_from_the_step_alone() -> None:
    drawn: list[torch.Tensor] = []

    class Dice(Callback):
        def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
            drawn.append(torch.rand(3))
            torch.rand(batch_idx)  # as if something else drew too

    for _ in range(2):
        fit(IMAGES, images(20), "model=linear", batch_size=10, callbacks=[Dice()])
    first, second, *again = drawn
    assert not torch.equal(first, second)
    assert torch.equal(torch.stack([first, second]), torch.stack(again))


def test_a_checkpoint_says_what_it_is_of() -> None:
    task = Language(TOKENS, MLP(NUMBERS), augment(TOKENS))
    task.plain_config = {"seed": 1}
    checkpoint: dict[str, Any] = {}
    task.on_save_checkpoint(checkpoint)
    assert checkpoint == {"config": {"seed": 1}, "spec": TOKENS.to_dict()}


def test_what_the_spec_tells_is_in_no_state() -> None:
    assert all(
        name.startswith("network.") for name in parameters(Regression(NUMBERS, Linear(NUMBERS), augment(NUMBERS)))
    )
