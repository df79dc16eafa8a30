from dataclasses import replace
from pathlib import Path

import pytest
import torch

from firstlight.config import RunConfig
from firstlight.spec import DataSpec
from firstlight.tasks.build import build_source, build_task
from helpers.lightning_modules import LazyNetwork
from helpers.small import IMAGES, TOKENS, same_state

TWO_WORDS = DataSpec((4,), 2, ("big", "large"), (), ())


def test_the_initial_weights_follow_from_the_seed_alone() -> None:
    def state(*words: str) -> dict[str, torch.Tensor]:
        torch.rand(3)  # another position in the sequence of random numbers
        return build_task(RunConfig.from_overrides("model=cnn", *words), IMAGES).state_dict()

    assert same_state(state(), state("optimizer.lr=1", "augment=light"))
    assert not same_state(state(), state("seed=2"))


def test_a_binary_task_has_one_output_and_keeps_both_labels() -> None:
    spec = DataSpec((1, 8, 8), 2, ("no", "yes"), (0.5,), (0.25,))
    task = build_task(RunConfig.from_overrides("model=linear", "task.binary=true"), spec)
    assert (task.network.output.out_features, task.spec.labels) == (1, ("no", "yes"))


def test_evaluation_needs_neither_the_thesaurus_nor_the_pretrained_weights_of_the_training(tmp_path: Path) -> None:
    thesaurus, weights = tmp_path / "thesaurus.txt", tmp_path / "weights.pth"
    words = ("model=rnn", "task=language", f"+augment.replace_synonyms.file={thesaurus}")
    thesaurus.write_text("big, large")
    assert build_task(RunConfig.from_overrides(*words), TWO_WORDS).augment.samples
    thesaurus.unlink()
    config = RunConfig.from_overrides(*words, f"model.weights={weights}")
    task = build_task(config, TWO_WORDS, training=False)
    assert not task.augment.has_steps
    with pytest.raises(ValueError, match=r"^augment\.replace_synonyms.*thesaurus\.txt: must be an existing file"):
        build_task(config, TWO_WORDS, pretrained=False)
    with pytest.raises(ValueError, match=r"^model\.weights=.*weights\.pth: cannot read"):
        build_task(config, TWO_WORDS)


def test_only_a_task_for_training_has_augmentation_steps_and_frozen_parts() -> None:
    config = RunConfig.from_overrides("model=cnn", "model.freeze=backbone", "augment=light", "augment.views=2")
    for training in (True, False):
        task = build_task(config, IMAGES, training=training)
        assert (task.augment.has_steps, task.freezing.always_frozen) == (training, training)
        assert all(value.requires_grad for value in task.network.parameters()) == (not training)


@pytest.mark.parametrize(
    ("spec", "words", "message"),
    [
        (TOKENS, "model=vgg16", r"model: must accept tokens, and VGG does not; .*gru, lstm, rnn.* do\."),
        (IMAGES, "model=transformer", "model: must accept images.*, resnet18, resnet34, .*vgg11, vgg13"),
        (IMAGES, "monitor=val/acuracy", "monitor=val/acuracy: unknown metric, did you mean 'val/accuracy'"),
        (IMAGES, "model=conv_filters model.classifier=false", "model: ConvFilters must have parameters that learn"),
        (IMAGES, "task.label_smoothing=2", r"task\.label_smoothing=2: must be at least 0 and below 1"),
        (IMAGES, "task.binary=true", r"task\.binary=true: must be false, because the data has 3 classes, not 2"),
        (IMAGES, "task=regression", "task=regression: must be classification"),
        (IMAGES, "model=mlp model.activation=rellu", r"model\.activation=rellu: unknown activation"),
        (IMAGES, "model=cnn augment=light augment.views=2", r"augment\.views=2: must be 0 without model\.freeze"),
        (IMAGES, "model=gan model.lr_decay=0.5", "model: must have neither head, freeze nor lr_decay"),
        (
            IMAGES,
            "task=adversarial",
            "task=adversarial: must have a network that generates images, such as model=gan; LeNet",
        ),
        (
            IMAGES,
            "task=reconstruction",
            "task=reconstruction: must have a network that reconstructs images, such as model=autoencoder; LeNet",
        ),
    ],
)
def test_a_message_starts_with_the_key_that_must_change(spec: DataSpec, words: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}") as caught:
        build_task(RunConfig.from_overrides(*words.split()), spec)
    assert len(str(caught.value).splitlines()) == 1


def test_an_invalid_option_of_the_data_raises_an_error_that_names_its_key() -> None:
    with pytest.raises(ValueError, match=r"^data\.val_fraction=1\.5: "):
        build_source(RunConfig.from_overrides("data.val_fraction=1.5"))


@pytest.mark.parametrize("target", ["torch.nn.Identity", "helpers.lightning_modules.LazyNetwork"])
def test_a_module_that_is_no_task_is_refused_by_its_name(target: str) -> None:
    node = {"_target_": target}
    config = replace(RunConfig.from_overrides("model=linear"), task=node)
    name = target.rpartition(".")[2]
    with pytest.raises(
        ValueError, match=rf"^task: must be a LightningModule or a subclass .*, and {name} is neither\.$"
    ):
        build_task(config, IMAGES)


def test_a_lightning_module_of_the_other_package_is_refused_with_what_to_import(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(LazyNetwork, "__module__", "pytorch_lightning.core.module")
    node = {"_target_": "helpers.lightning_modules.LazyNetwork"}
    config = replace(RunConfig.from_overrides("model=linear"), task=node)
    with pytest.raises(ValueError, match=r"To fix: import lightning\.pytorch in place of pytorch_lightning$"):
        build_task(config, IMAGES)
