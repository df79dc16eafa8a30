"""Networks that take no spec: torchvision's, and classes of the user."""

import json
from pathlib import Path
from typing import Any

import pytest

from firstlight.config import RunConfig
from firstlight.config.checking.targets import check_targets
from firstlight.config.compose import compose
from firstlight.runs.evaluate import evaluate
from firstlight.spec import DataSpec
from firstlight.tasks.build import build_task
from firstlight.training.run import train
from helpers.samples import image_spec
from helpers.small import IMAGES, NUMBERS

COLOUR = image_spec(3, 32, 32)


def build(data: DataSpec, target: str, *words: str, **options: Any) -> Any:
    plain = RunConfig.from_overrides(*words).to_plain()
    own = f"helpers.foreign.{target}" if "." not in target else target
    return build_task(RunConfig.parse(plain | {"model": {"_target_": own, **options}}), data)


def test_a_plain_module_is_built_from_its_options_and_has_no_reserved_names() -> None:
    task = build(IMAGES, "Plain", plan="b", spec=3)
    assert task.network.output.out_features == 3
    assert build(IMAGES, "Late", width=1, num_classes=3).network.output.out_features == 3


def test_a_network_of_torchvision_is_a_function_with_its_own_options() -> None:
    task = build(COLOUR, "torchvision.models.mobilenet_v3_small", num_classes=COLOUR.num_outputs)
    assert task.network.training
    assert {module.training for module in task.network.modules()} == {True}


@pytest.mark.parametrize(
    ("spec", "target", "options", "message"),
    [
        (
            IMAGES,
            "Plain",
            {"num_classes": 1000},
            "model: must return (batch, 3) for this data, and Plain returns (batch, 1000). To fix: model.num_classes=3",
        ),
        (
            COLOUR,
            "torchvision.models.mobilenet_v3_small",
            {},
            f"model: must return (batch, {COLOUR.num_outputs}) for this data, and MobileNetV3 returns (batch, 1000)."
            f" To fix: model.num_classes={COLOUR.num_outputs}",
        ),
        (
            COLOUR,
            "Plain",
            {},
            "model: must accept images of 3x32x32, and Plain does not (Given groups=1, weight of size [4, 1, 3, 3],"
            " expected input[2, 3, 32, 32] to have 1 channels, but got 3 channels instead)."
            " To fix: model.in_channels=3",
        ),
        (
            NUMBERS,
            "Columns",
            {"in_features": 7},
            "model: must accept 2 numbers, and Columns does not (addmm: mat1 and mat2 shapes cannot be multiplied (2x2"
            " and 7x4)). To fix: model.in_features=2",
        ),
        (
            NUMBERS,
            "Columns",
            {"in_features": 2},
            "model: must return (batch, 1) for this data, and Columns returns (batch, 2). To fix: model.head=linear",
        ),
        (IMAGES, "Pair", {}, "model: must return a tensor, and Pair returns a dict."),
        (IMAGES, "Flat", {}, "model: must return (batch, 3) for this data, and Flat returns (128)."),
        (IMAGES, "number", {}, "model: must be a torch.nn.Module, not a int."),
        (IMAGES, "Plain", {"num_clases": 3}, "model.num_clases: unknown option of Plain, did you mean"),
    ],
)
def test_a_network_that_does_not_fit_raises_an_error_that_says_what_it_lacks(
    spec: DataSpec, target: str, options: dict[str, Any], message: str
) -> None:
    task = "task=regression" if spec is NUMBERS else "task=classification"
    with pytest.raises(ValueError, match=r"^model") as caught:
        build(spec, target, task, **options)
    assert str(caught.value).startswith(message)


def test_a_new_head_gives_a_network_the_outputs_of_the_data() -> None:
    words = {"in_features": 2, "head": "linear"}
    assert build(NUMBERS, "Columns", "task=regression", **words).network[2].out_features == 1


def test_a_plain_module_trains_and_is_evaluated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parents[1])  # the project that the network belongs to
    config = compose("trainer.max_epochs=1", "trainer.accelerator=cpu")
    config.model = {"_target_": "helpers.foreign.Plain", "num_classes": 10}
    metrics = train(config, run_dir=tmp_path / "run")
    assert metrics["flops_per_sample"] == 2 * (6 * 6 * 9 * 4 + 4 * 10)
    assert evaluate(tmp_path / "run")["test/loss"] == pytest.approx(metrics["test/loss"], rel=1e-5)
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["status"] == "completed"


@pytest.mark.parametrize("name", ["resnet18", "ResNet", "vit_b_16", "resnet.resnet18"])
def test_a_run_folder_may_name_the_classifiers_of_torchvision(name: str, tmp_path: Path) -> None:
    check_targets({"model": {"_target_": f"torchvision.models.{name}"}}, tmp_path)


@pytest.mark.parametrize("name", ["models.get_model", "models.detection.fasterrcnn_resnet50_fpn", "io.read_image"])
def test_a_run_folder_may_name_nothing_else_of_torchvision(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must be a subclass of"):
        check_targets({"model": {"_target_": f"torchvision.{name}"}}, tmp_path)
