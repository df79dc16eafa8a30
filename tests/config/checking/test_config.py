from functools import reduce
from typing import Any

import pytest

from firstlight.config.checking.config import check
from firstlight.config.compose import compose, to_plain


@pytest.fixture
def config() -> dict[str, Any]:
    return to_plain(compose("model=mlp"))


def put(config: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    *parents, name = path.split(".")
    reduce(dict.__getitem__, parents, config)[name] = value
    return config


def refusal(config: dict[str, Any]) -> str:
    with pytest.raises(ValueError, match=r".") as caught:
        check(config)
    return str(caught.value)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("patience", None),
        ("patience", 3),
        ("run_dir", "runs/first"),
        ("optimizer.lr", 1),
        ("optimizer.lr", 1e-3),
        ("optimizer.betas", [0, 0.99]),
        ("optimizer.fused", None),
        ("model.hidden_sizes", []),
        ("trainer.devices", [0, 1]),
        ("trainer.devices", "0,1"),
        ("trainer.precision", "bf16-mixed"),
        ("trainer.max_epochs", None),
        ("trainer.max_time", "00:01:00:00"),
        ("trainer.max_time", {"hours": 1}),
        ("trainer.limit_train_batches", 0.5),
        ("trainer.logger", False),
        ("trainer.callbacks", [{"_target_": "lightning.pytorch.callbacks.DeviceStatsMonitor", "cpu_stats": True}]),
        ("trainer.profiler", {"_target_": "lightning.pytorch.profilers.SimpleProfiler", "filename": "times"}),
    ],
)
def test_a_value_that_the_target_takes_passes(config: dict[str, Any], path: str, value: Any) -> None:
    check(put(config, path, value))


@pytest.mark.parametrize(
    ("path", "value", "accepts"),
    [
        ("seed", 1.5, "it takes a whole number."),
        ("seed", True, "it takes a whole number."),
        ("patience", "long", "it takes a whole number or null."),
        ("output_dir", None, "it takes text."),
        ("optimizer.lr", "fast", "AdamW takes a number."),
        ("optimizer.lr", True, "AdamW takes a number."),
        ("optimizer.betas", [0.9], "AdamW takes a list: a number, a number."),
        ("optimizer.betas", [0.9, "high"], "AdamW takes a list: a number, a number."),
        ("optimizer.fused", 1, "AdamW takes true or false or null."),
        ("model.hidden_sizes", 3, "MLP takes a list, each item a whole number."),
        ("model.hidden_sizes", [3, 0.5], "MLP takes a list, each item a whole number."),
        ("model.activation", None, "MLP takes text."),
        ("trainer.max_epochs", 2.5, "Trainer takes a whole number or null."),
        ("trainer.devices", ["a"], "Trainer takes a list, each item a whole number or text or a whole number."),
        ("trainer.gradient_clip_val", "1", "Trainer takes a whole number or a number or null."),
    ],
)
def test_a_value_of_another_type_is_refused_in_words(config: dict[str, Any], path: str, value: Any, takes: str) -> None:
    message = refusal(put(config, path, value))
    assert message.startswith(f"{path}=")
    assert message.endswith(takes)


def test_a_key_that_the_target_does_not_take_is_refused_with_the_nearest(config: dict[str, Any]) -> None:
    message = refusal(put(config, "trainer.max_epoch", 3))
    assert message == "trainer: Trainer takes no 'max_epoch'. did you mean 'trainer.max_epochs'?"


def test_an_unknown_top_level_key_is_refused_with_the_nearest(config: dict[str, Any]) -> None:
    assert refusal(put(config, "sede", 3)) == "There is no 'sede'. did you mean 'seed'?"


def test_a_mistake_in_a_nested_target_is_refused_by_its_path(config: dict[str, Any]) -> None:
    stopping = {"_target_": "lightning.pytorch.callbacks.EarlyStopping", "monitr": "val/loss"}
    message = refusal(put(config, "trainer.callbacks", [stopping]))
    assert message.startswith("trainer.callbacks.0: EarlyStopping takes no 'monitr'.")


def test_an_unknown_target_is_refused_by_its_key(config: dict[str, Any]) -> None:
    message = refusal(put(config, "optimizer._target_", "torch.optim.AdmaW"))
    assert message == "optimizer._target_=torch.optim.AdmaW: there is no 'AdmaW' in torch.optim."


@pytest.mark.parametrize("value", [None, "lenet", {"hidden_sizes": [3]}])
def test_a_group_without_a_target_is_refused(config: dict[str, Any], value: Any) -> None:
    assert "_target_" in refusal(put(config, "model", value))


def test_a_negative_seed_is_refused(config: dict[str, Any]) -> None:
    assert refusal(put(config, "seed", -1)) == "seed=-1: a seed is 0 or larger."


@pytest.mark.parametrize("key", ["seed", "monitor", "scheduler"])
def test_a_config_that_lacks_a_key_is_refused_by_its_name(config: dict[str, Any], key: str) -> None:
    del config[key]
    assert key in refusal(config)


@pytest.mark.parametrize(
    ("word", "complaint"),
    [
        ("+augment.rotat.degrees=15", "augment.rotat: unknown step, did you mean 'augment.rotate'?"),
        ("+augment.xyz={}", "augment.xyz: unknown step; known: blur, brightness, "),
        (
            "+augment.rotate.degree=15",
            "augment.rotate: Rotate takes no 'degree'. did you mean 'augment.rotate.degrees'?",
        ),
        ("+augment.rotate.degrees=much", "augment.rotate.degrees=much: Rotate takes a number."),
        ("+augment.replace_synonyms.rat=1", "augment.replace_synonyms: ReplaceSynonyms takes no 'rat'."),
        ("+augment.rotate=15", "augment.rotate=15: a step takes its options by name, as in augment.rotate.p=0.5;"),
        ("+augment.flip=true", "augment.flip=true: a step takes its options by name, as in augment.flip.p=0.5;"),
        ("+augment.pading=zero", "augment: there is no option or step 'pading'. did you mean 'augment.padding'?"),
        ("augment.size=32.5", "augment.size=32.5: it takes a whole number or null."),
        ("augment.padding=null", "augment.padding=null: it takes text."),
    ],
)
def test_a_mistake_in_the_augmentation_is_refused_in_words(word: str, complaint: str) -> None:
    assert refusal(to_plain(compose(word))).startswith(complaint)


@pytest.mark.parametrize("word", ["+augment.rotate={}", "+augment.flip=null", "augment.size=64", "+augment.hue.p=1"])
def test_steps_that_there_are_pass(word: str) -> None:
    check(to_plain(compose(word)))


def test_a_step_of_ones_own_passes_under_any_name(config: dict[str, Any]) -> None:
    config["augment"]["again"] = {"_target_": "firstlight.augment.Flip", "p": 0.5}
    check(config)


def test_what_the_source_does_not_tell_passes(config: dict[str, Any]) -> None:
    config["model"] = {"_target_": "torch.nn.Conv2d", "whatever": 1}
    check(config)
