import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from firstlight.config.checking.config import check
from firstlight.config.compose import compose, to_plain
from firstlight.config.transfer import OPTIONS, Transfer, split_model


def refusal(*words: str) -> str:
    with pytest.raises(ValueError, match=r".") as caught:
        check(to_plain(compose("model=resnet18", *words)))
    return str(caught.value)


def test_every_option_stands_in_the_config_with_what_it_is_by_default() -> None:
    transfer, network = split_model(to_plain(compose("model=resnet18"))["model"])
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
def test_what_has_a_meaning_passes(words: list[str]) -> None:
    check(to_plain(compose("model=resnet18", *words)))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["model.weights=3"], "model.weights=3: it takes text or null."),
        (["model.freeze=heads"], "model.freeze=heads: backbone, or null for nothing."),
        (["model.freeze=true"], "model.freeze=true: it takes text or null."),
        (["model.lr_decay=0"], "model.lr_decay=0: a share above 0, up to 1."),
        (["model.lr_decay=1.5"], "model.lr_decay=1.5: a share above 0, up to 1."),
        (["model.lr_decay=slow"], "model.lr_decay=slow: it takes a number."),
        (["model.unfreeze_at_epoch=3"], "model.unfreeze_at_epoch: nothing is frozen; it takes model.freeze=backbone."),
        (["model.freeze=backbone", "model.unfreeze_at_epoch=1"], "model.unfreeze_at_epoch=1: 2 or more."),
        (
            ["model.freeze=backbone", "model.unfreeze_every=1"],
            "model.unfreeze_every: it takes model.unfreeze_at_epoch, the epoch of the first stage.",
        ),
        (
            ["model.freeze=backbone", "model.unfreeze_at_epoch=2", "model.unfreeze_every=0"],
            "model.unfreeze_every=0: 1 or more.",
        ),
        (["+model.weigths=default"], "model: ResNet takes no 'weigths'. did you mean 'model.weights'?"),
    ],
)
def test_what_has_none_is_refused_before_anything_is_built(words: list[str], sentence: str) -> None:
    assert refusal(*words) == sentence


def test_a_misspelled_option_gets_a_hint(script: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    refused = script("train", "model=resnet18", "model.weigths=default")
    assert refused.returncode != 0
    assert "did you mean 'model.weights'?" in refused.stderr


def test_the_options_are_no_arguments_of_the_network() -> None:
    model: dict[str, Any] = {"_target_": "a.Network", "weights": "default", "width": 3}
    assert split_model(model) == (Transfer(weights="default"), {"_target_": "a.Network", "width": 3})
