from typing import Any

import pytest

from firstlight.config import RunConfig
from firstlight.config.options import TRANSFER, Transfer


def error_of(*words: str) -> str:
    with pytest.raises(ValueError, match=r".") as caught:
        RunConfig.from_overrides("model=resnet18", *words)
    return str(caught.value)


def test_the_config_contains_every_option_with_its_default() -> None:
    model = RunConfig.from_overrides("model=resnet18").to_plain()["model"]
    assert {key: model[key] for key in TRANSFER} == vars(Transfer())


@pytest.mark.parametrize(
    "words",
    [
        ["model.weights=default", "model.head=mlp", "model.lr_decay=0.5"],
        ["model.weights=my/weights.pth", "model.freeze=backbone"],
        ["model.freeze=backbone", "model.unfreeze_at_epoch=2", "model.unfreeze_every=1"],
    ],
)
def test_valid_options_pass_the_check(words: list[str]) -> None:
    RunConfig.from_overrides("model=resnet18", *words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["model.weights=3"], "model.weights=3: must be text or null."),
        (["model.freeze=heads"], "model.freeze=heads: unknown part of the network; known: backbone."),
        (["model.freeze=true"], "model.freeze=true: must be text or null."),
        (["model.lr_decay=0"], "model.lr_decay=0: must be above 0 and at most 1."),
        (["model.lr_decay=1.5"], "model.lr_decay=1.5: must be above 0 and at most 1."),
        (["model.lr_decay=slow"], "model.lr_decay=slow: must be a number."),
        (["model.unfreeze_at_epoch=3"], "model.unfreeze_at_epoch=3: must be null without model.freeze=backbone."),
        (["model.freeze=backbone", "model.unfreeze_at_epoch=1"], "model.unfreeze_at_epoch=1: must be at least 2."),
        (
            ["model.freeze=backbone", "model.unfreeze_every=1"],
            "model.unfreeze_every=1: must be null without model.unfreeze_at_epoch.",
        ),
        (
            ["model.freeze=backbone", "model.unfreeze_at_epoch=2", "model.unfreeze_every=0"],
            "model.unfreeze_every=0: must be at least 1.",
        ),
        (["+model.weigths=default"], "model.weigths: unknown option of ResNet, did you mean 'model.weights'?"),
    ],
)
def test_invalid_options_raise_an_error_before_anything_is_built(words: list[str], message: str) -> None:
    assert error_of(*words) == message


@pytest.mark.parametrize(
    ("options", "uses_stored_statistics"),
    [
        ({}, False),
        ({"weights": "default"}, True),
        ({"weights": "default", "keep_statistics": False}, False),
        ({"keep_statistics": True}, True),
    ],
)
def test_batch_normalisation_uses_stored_statistics_by_default_with_pretrained_weights(
    options: dict[str, Any], uses_stored_statistics: bool
) -> None:
    assert Transfer(**options).uses_stored_statistics == uses_stored_statistics


def test_split_separates_the_options_from_the_arguments_of_the_network() -> None:
    model: dict[str, Any] = {"_target_": "a.Network", "weights": "default", "width": 3}
    assert Transfer.split(model) == (Transfer(weights="default"), {"_target_": "a.Network", "width": 3})
