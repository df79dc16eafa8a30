import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from firstlight.config.checking.config import check
from firstlight.config.compose import compose, to_plain
from firstlight.config.transfer import OPTIONS, Transfer


def error_of(*words: str) -> str:
    with pytest.raises(ValueError, match=r".") as caught:
        check(to_plain(compose("model=resnet18", *words)))
    return str(caught.value)


def test_the_config_contains_every_option_with_its_default() -> None:
    transfer, network = Transfer.split(to_plain(compose("model=resnet18"))["model"])
    assert transfer == Transfer()
    assert network["depth"] == 18
    assert not network.keys() & OPTIONS.keys()


@pytest.mark.parametrize(
    "words",
    [
        ["model.weights=default", "model.head=mlp", "model.lr_decay=0.5"],
        ["model.weights=my/weights.pth", "model.freeze=backbone"],
        ["model.freeze=backbone", "model.unfreeze_at_epoch=2", "model.unfreeze_every=1"],
    ],
)
def test_valid_options_pass_the_check(words: list[str]) -> None:
    check(to_plain(compose("model=resnet18", *words)))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["model.weights=3"], "model.weights=3: it takes text or null."),
        (["model.freeze=heads"], "model.freeze=heads: unknown part of the network; known: backbone."),
        (["model.freeze=true"], "model.freeze=true: it takes text or null."),
        (["model.lr_decay=0"], "model.lr_decay=0: must be above 0 and at most 1."),
        (["model.lr_decay=1.5"], "model.lr_decay=1.5: must be above 0 and at most 1."),
        (["model.lr_decay=slow"], "model.lr_decay=slow: it takes a number."),
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


def test_the_error_for_a_misspelled_option_suggests_the_right_name(
    script: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    process = script("train", "model=resnet18", "model.weigths=default")
    assert process.returncode != 0
    assert "did you mean 'model.weights'?" in process.stderr


def test_split_model_separates_the_options_from_the_arguments_of_the_network() -> None:
    model: dict[str, Any] = {"_target_": "a.Network", "weights": "default", "width": 3}
    assert Transfer.split(model) == (Transfer(weights="default"), {"_target_": "a.Network", "width": 3})
