from pathlib import Path

import pytest

from firstlight.commands.check_predict import check_predict, check_task
from firstlight.config.compose import compose, to_plain

LITE = {"_target_": "firstlight.networks.EfficientNetLite", "weights": "default"}


def test_a_run_or_a_network_predicts(trained_run: Path) -> None:
    check_predict(trained_run, None, None)
    check_predict(trained_run, {"weights": None}, "dog_cat")
    check_predict(None, LITE, "dog_cat")


def test_one_of_the_two_is_needed_and_both_are_too_many(trained_run: Path) -> None:
    for nothing in (None, {"weights": None}, {"weights": "default"}):
        with pytest.raises(ValueError, match=r"run=RUN or model=NAME: .*neither is given"):
            check_predict(None, nothing, None)
    for model in (LITE, {"weights": "default"}):
        with pytest.raises(ValueError, match=f"run={trained_run}: its network is the run's own"):
            check_predict(trained_run, model, None)


@pytest.mark.parametrize(
    ("run", "model", "group", "told"),
    [
        ("nope", None, None, "run=nope: no run folder"),
        (None, LITE | {"dropout": "much"}, None, r"model\.dropout=much: EfficientNetLite takes a number"),
        (None, LITE | {"drop": 0.1}, None, "model: EfficientNetLite takes no 'drop'"),
        (None, LITE | {"weights": 3}, None, r"model\.weights=3"),
        (None, LITE, "cat_dog", "there is no such group"),
    ],
)
def test_a_mistake_is_told_with_its_key(run: str | None, model: dict | None, group: str | None, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        check_predict(run, model, group)


@pytest.mark.parametrize("model", ["gan", "autoencoder", "vae"])
def test_a_network_for_another_task_is_refused(model: str) -> None:
    composed = to_plain(compose(f"model={model}", "input=photo.jpg", config_name="predict"))
    with pytest.raises(ValueError, match="this network does not classify"):
        check_task(composed["task"])


def test_a_network_that_classifies_is_for_no_other_task() -> None:
    composed = to_plain(compose("model=resnet18", "input=photo.jpg", config_name="predict"))
    check_task(composed.get("task"))
    check_task(to_plain(compose("task=classification", "input=photo.jpg", config_name="predict"))["task"])
