import csv
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from sklearn.datasets import load_sample_images

from firstlight.commands.trained.predict import check_source, check_task
from firstlight.config.compose import compose, to_plain

Profiled = Callable[..., tuple[CompletedProcess[str], set[str]]]

LITE = {"_target_": "firstlight.networks.EfficientNetLite", "weights": "default"}
FLOWER = next(name for name in load_sample_images().filenames if "flower" in name)


@pytest.mark.slow
def test_the_script_predicts_with_pretrained_weights_without_importing_lightning(
    profiled: Profiled, tmp_path: Path
) -> None:
    process, modules = profiled("predict", "model=efficientnet_lite0", f"input={FLOWER}", "predict.group=dog_cat")
    assert process.returncode == 0, process.stderr
    lines = process.stdout.splitlines()
    assert lines[0].startswith("daisy ")
    assert len(lines) == 7
    assert lines[5].startswith("dog_cat: neither")
    assert lines[6] == f"1 prediction in {tmp_path / 'predictions.csv'}"
    with (tmp_path / "predictions.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["path"], row["label"], row["dog_cat"]) == (FLOWER, "daisy", "neither")
    assert 0.9 < float(row["dog_cat_probability"]) <= 1
    assert [path.name for path in tmp_path.iterdir()] == ["predictions.csv"]
    assert not modules & {"lightning", "torchmetrics"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["model=gan"], "model: must be a network that classifies."),
        (["run=nope"], "run=nope: must be a run folder, which contains a config.yaml."),
        (["run=nope", "batch_size=many"], "batch_size=many: must be a whole number (predict)."),
        (["model=efficientnet_lite0", "predict.group=dogcat"], "predict.group=dogcat: unknown group, did you mean 'd"),
        (
            ["model=efficientnet_lite0", "predict.invert=maybe"],
            "predict.invert=maybe: must be auto or true or false (predict).",
        ),
    ],
)
def test_a_mistake_is_reported_before_torch_is_imported(profiled: Profiled, words: list[str], message: str) -> None:
    process, modules = profiled("predict", f"input={FLOWER}", *words)
    assert process.returncode == 1
    assert process.stderr.startswith(message)
    assert len(process.stderr.splitlines()) == 1
    assert not modules & {"torch", "lightning", "torchvision"}


def test_the_source_is_a_run_or_a_network(trained_run: Path) -> None:
    for nothing in (None, {"weights": None}, {"weights": "default"}):
        with pytest.raises(ValueError, match=r"^run: must be set, as in run=RUN, or replaced by a network"):
            check_source(None, nothing)
    for model in (LITE, {"weights": "default"}):
        with pytest.raises(ValueError, match=f"^run={trained_run}: must be left out if model is given"):
            check_source(str(trained_run), model)
    assert check_source(str(trained_run), {"weights": None}) is None
    assert check_source(None, LITE) == LITE


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dropout": "much"}, r"^model\.dropout=much: must be a number \(EfficientNetLite\)\.$"),
        ({"drop": 0.1}, r"^model\.drop: unknown option of EfficientNetLite"),
        ({"weights": 3}, r"^model\.weights=3: must be text or null\.$"),
    ],
)
def test_a_wrong_option_of_the_network_is_reported_with_its_key(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_source(None, LITE | options)


@pytest.mark.parametrize(
    ("choice", "classifies"),
    [
        ("model=gan", False),
        ("model=autoencoder", False),
        ("model=vae", False),
        ("model=resnet18", True),
        ("task=classification", True),
    ],
)
def test_only_networks_that_classify_predict(choice: str, classifies: bool) -> None:
    task = to_plain(compose(choice, "input=photo.jpg", config_name="predict")).get("task")
    if classifies:
        return check_task(task)
    with pytest.raises(ValueError, match=r"^model: must be a network that classifies\.$"):
        check_task(task)
    return None
