from functools import reduce
from typing import Any

import pytest

from firstlight.config.checking.config import check, check_arguments, check_model
from firstlight.config.compose import compose, to_plain
from firstlight.config.project import option_files


@pytest.fixture
def config() -> dict[str, Any]:
    return composed("model=mlp")


def composed(*words: str) -> dict[str, Any]:
    """Return a plain config without `resume`, which is an option of the command."""
    config = to_plain(compose(*words))
    del config["resume"], config["trust"], config["sweep"]
    return config


def put(config: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    *parents, name = path.split(".")
    reduce(dict.__getitem__, parents, config)[name] = value
    return config


def message_for(config: dict[str, Any]) -> str:
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
        ("trainer.logger", True),
        ("trainer.callbacks", [{"_target_": "lightning.pytorch.callbacks.Timer", "verbose": True}]),
        ("trainer.profiler", {"_target_": "lightning.pytorch.profilers.SimpleProfiler", "filename": "times"}),
    ],
)
def test_a_value_that_fits_the_annotation_passes(config: dict[str, Any], path: str, value: Any) -> None:
    check(put(config, path, value))


@pytest.mark.parametrize(
    ("path", "value", "fits"),
    [
        ("seed", 1.5, "a whole number"),
        ("seed", True, "a whole number"),
        ("patience", "long", "a whole number or null"),
        ("output_dir", None, "text"),
        ("optimizer.lr", "fast", "a number (AdamW)"),
        ("optimizer.betas", [0.9], "a list of a number and a number (AdamW)"),
        ("model.hidden_sizes", [3, 0.5], "a list of whole numbers (MLP)"),
        ("trainer.max_epochs", 2.5, "a whole number or null (Trainer)"),
        ("augment.size", 32.5, "a whole number or null"),
        ("augment.padding", None, "text"),
    ],
)
def test_the_error_for_a_value_of_another_type_describes_the_values_that_fit(
    config: dict[str, Any], path: str, value: Any, fits: str
) -> None:
    message = message_for(put(config, path, value))
    assert message.startswith(f"{path}=")
    assert message.endswith(f": must be {fits}.")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("sede", "sede: unknown key, did you mean 'seed'?"),
        ("trainer.max_epoch", "trainer.max_epoch: unknown option of Trainer, did you mean 'trainer.max_epochs'?"),
        ("model.weigths", "model.weigths: unknown option of MLP, did you mean 'model.weights'?"),
        ("task.network", "task.network: unknown option of Classification; known: balance, binary, "),  # we pass it
    ],
)
def test_the_error_for_an_unknown_key_suggests_a_known_one(config: dict[str, Any], path: str, message: str) -> None:
    assert message_for(put(config, path, 3)).startswith(message)


def test_the_error_for_a_nested_target_names_its_path(config: dict[str, Any]) -> None:
    stopping = {"_target_": "lightning.pytorch.callbacks.EarlyStopping", "monitr": "val/loss"}
    message = message_for(put(config, "trainer.callbacks", [stopping]))
    assert message == (
        "trainer.callbacks.0.monitr: unknown option of EarlyStopping, did you mean 'trainer.callbacks.0.monitor'?"
    )


def test_the_error_for_an_unknown_target_names_its_key(config: dict[str, Any]) -> None:
    message = message_for(put(config, "optimizer._target_", "torch.optim.AdmaW"))
    assert (
        message == "optimizer._target_=torch.optim.AdmaW: 'AdmaW' must be defined in torch.optim, did you mean 'AdamW'?"
    )


@pytest.mark.parametrize("value", [None, "lenet", {"hidden_sizes": [3]}])
def test_a_group_must_have_a_target(config: dict[str, Any], value: Any) -> None:
    assert message_for(put(config, "model", value)).startswith("model: must have a _target_")


def test_a_seed_must_not_be_negative(config: dict[str, Any]) -> None:
    assert message_for(put(config, "seed", -1)) == "seed=-1: must be at least 0."


@pytest.mark.parametrize("key", ["seed", "monitor", "scheduler"])
def test_the_error_for_a_missing_key_names_it(config: dict[str, Any], key: str) -> None:
    del config[key]
    assert message_for(config) == f"{key}: must be in the config."


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("+augment.rotat.degrees=15", "augment.rotat: unknown step, did you mean 'augment.rotate'?"),
        ("+augment.xyz={}", "augment.xyz: unknown step; known: blur, brightness, "),
        (
            "+augment.rotate.degree=15",
            "augment.rotate.degree: unknown option of Rotate, did you mean 'augment.rotate.degrees'?",
        ),
        ("+augment.rotate.degrees=much", "augment.rotate.degrees=much: must be a number (Rotate)."),
        ("+augment.rotate=15", "augment.rotate=15: must be null to remove the step. To change an option of the"),
        ("+augment.flip=true", "augment.flip=true: must be null to remove the step. To change an option of the"),
        ("+augment.pading=zero", "augment.pading: unknown option or step, did you mean 'augment.padding'?"),
    ],
)
def test_a_mistake_in_the_augmentation_raises_an_error_that_names_the_step(word: str, message: str) -> None:
    assert message_for(composed(word)).startswith(message)


@pytest.mark.parametrize("word", ["+augment.rotate={}", "+augment.flip=null", "augment.size=64", "+augment.hue.p=1"])
def test_known_steps_and_options_of_the_augmentation_pass(word: str) -> None:
    check(composed(word))


def test_a_step_with_a_target_of_its_own_may_have_any_name(config: dict[str, Any]) -> None:
    config["augment"]["again"] = {"_target_": "firstlight.augment.Flip", "p": 0.5}
    check(config)


def test_arguments_that_the_source_does_not_show_are_not_checked(config: dict[str, Any]) -> None:
    config["model"] = {"_target_": "torch.relu", "whatever": 1}
    check(config)


def test_a_model_is_checked_alone() -> None:
    model = {"_target_": "firstlight.networks.MLP", "hidden_sizes": [3]}
    check_model(model)
    for option, value, message in (
        ("hidden_sizes", 3, r"^model\.hidden_sizes=3: must be a list of whole numbers \(MLP\)\.$"),
        ("weights", 3, r"^model\.weights=3: must be text or null\.$"),
        ("hiden_sizes", [3], r"^model\.hiden_sizes: unknown option of MLP, did you mean 'model\.hidden_sizes'\?$"),
    ):
        with pytest.raises(ValueError, match=message):
            check_model(model | {option: value})


def test_the_arguments_of_a_function_are_checked_with_and_without_a_path() -> None:
    function = "firstlight.runs.evaluate.evaluate"
    check_arguments(function, {"run": "outputs/run", "data": {"dir": None}})
    with pytest.raises(ValueError, match=r"^splt: unknown option of evaluate, did you mean 'split'\?$"):
        check_arguments(function, {"splt": "val"})
    with pytest.raises(ValueError, match=r"^evaluate\.split=3: must be text \(evaluate\)\.$"):
        check_arguments(function, {"split": 3}, "evaluate")


@pytest.mark.parametrize(
    ("words", "key"),
    [
        *(
            ([f"optimizer={name}", "optimizer.lr=-1"], "optimizer.lr")
            for name in option_files("optimizer")
            if name != "lion"
        ),
        (["optimizer.weight_decay=-1"], "optimizer.weight_decay"),
        (["optimizer=momentum", "optimizer.momentum=-1"], "optimizer.momentum"),
        (["+optimizer.eps=-1"], "optimizer.eps"),
        (["optimizer.groups={head: {lr: -1}}"], "optimizer.groups.head.lr"),
    ],
)
def test_the_numbers_of_an_optimizer_are_checked_before_anything_is_read(words: list[str], key: str) -> None:
    assert message_for(composed(*words)) == f"{key}=-1: must be at least 0."
